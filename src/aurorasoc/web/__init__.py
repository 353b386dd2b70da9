"""The settings page: one document and its files, which only use the REST API."""

from typing import Final

SETTINGS_PAGE: Final = "/settings/llm"
"""The page's path, relative to the app's."""

TOKEN_FRAGMENT: Final = "token="  # noqa: S105 - a name, no password
"""What stands behind `#` before the token in a link that signs in: see `static/sign_in_link.js`."""
