"""The settings page: one document and its files, which do all they do by the REST calls."""

from typing import Final

SETTINGS_PAGE: Final = "/settings/llm"
"""Where the page is, below wherever the app is."""
