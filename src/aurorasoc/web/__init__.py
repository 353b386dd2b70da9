"""The settings page: one document and its files, which only use the REST API."""

from typing import Final

SETTINGS_PAGE: Final = "/settings/llm"
"""The page's path, relative to the app's."""

SIGN_IN_MARK: Final = "#token="
"""What stands before the token in a link that signs in; read by `static/sign_in_link.js`."""
