"""The settings page: one document and its files, which do all they do by the REST calls."""
