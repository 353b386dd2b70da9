"""Check values that are sent in HTTP headers."""

from __future__ import annotations


def fits_a_header(text: str) -> bool:
    """Return whether a credential can be sent: printable ASCII without blanks (RFC 9110 §5.5).

    HTTP libraries quote an invalid value in their exceptions, so a key would leak.
    """
    return text.isascii() and text.isprintable() and " " not in text
