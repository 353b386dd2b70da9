"""Text as Windows' programs write it: with a byte order mark, or in UTF-16."""

from __future__ import annotations

from json import detect_encoding
from typing import Final

_UTF8: Final = "utf-8"
_LONE: Final = "surrogatepass"
"""Keep lone surrogates, as Python's JSON parser does: whoever stores a text replaces them."""


def text_of(data: bytes) -> str:
    """Decode UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    The encoding is found by the mark, or by the NULs beside ASCII characters (RFC 4627 §3).

    Raises:
        UnicodeDecodeError: It is in none of them.
    """
    return data.decode(detect_encoding(data), _LONE)


def in_utf8(data: bytes) -> bytes:
    """Return text in UTF-8 without a byte order mark. What is in UTF-8 already isn't looked at.

    Raises:
        UnicodeDecodeError: It seems to be in another encoding, and isn't.
    """
    if detect_encoding(data) == _UTF8:
        return data
    return text_of(data).encode(_UTF8, _LONE)
