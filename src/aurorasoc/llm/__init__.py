"""Build live chat models from the configuration."""
