"""What a header may carry."""

from __future__ import annotations


def fits_a_header(text: str) -> bool:
    """Whether a credential can be sent: printable ASCII without blanks (RFC 9110 §5.5).

    Libraries put what doesn't fit, whole, into the text of their exceptions.
    """
    return text.isascii() and text.isprintable() and " " not in text
