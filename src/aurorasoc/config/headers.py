"""Check what is sent in HTTP headers."""

from __future__ import annotations

import re
from typing import Final

MAX_HEADERS: Final = 16
MAX_NAME: Final = 64
MAX_VALUE: Final = 1024

_TOKEN: Final = re.compile(rf"[!#$%&'*+.^_`|~0-9A-Za-z-]{{1,{MAX_NAME}}}")
"""RFC 9110 §5.6.2."""

_WORD: Final = re.compile(r"[0-9a-z]+")
_CREDENTIAL_WORDS: Final = frozenset(
    {"auth", "authorization", "authentication", "bearer", "jwt", "key", "keys", "pat", "sig"}
)
_CREDENTIAL_ENDS: Final = (
    "apikey",
    "authkey",
    "cookie",
    "cookie2",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
)
_OURS: Final = re.compile(
    r"accept|accept-(?:charset|encoding)|access-control-.*|alt-svc|anthropic-version|connection"
    r"|content-.*|date|expect|forwarded|host|http2-settings|if-.*|keep-alive|max-forwards|origin"
    r"|proxy-.*|range|sec-.*|te|trailer|transfer-encoding|upgrade|user-agent|via"
    r"|x-forwarded-.*|x-http-method.*|x-method-override|x-real-ip"
)
"""What our client or the protocol says: another word would break the request or lie about it."""


def fits_a_header(text: str) -> bool:
    """Return whether a credential can be sent: printable ASCII without blanks (RFC 9110 §5.5).

    HTTP libraries quote an invalid value in their exceptions, so a key would leak.
    """
    return text.isascii() and text.isprintable() and " " not in text


def wrong_name(name: str) -> str | None:
    """Return why a connection's own header can't be called so; None if it can.

    The answer repeats the name, unless it is none.
    """
    if not _TOKEN.fullmatch(name):
        return f"a header's name is made of letters, digits and -, {MAX_NAME} at most"
    lower = name.lower()
    if _carries_credential(lower):
        return f"{lower} carries a credential: store a key instead, headers aren't kept secret"
    if _OURS.fullmatch(lower):
        return f"{lower} is set by the service itself"
    return None


def is_plain_value(text: str) -> bool:
    """Return whether a header can have this value: printable ASCII, no blanks at its ends."""
    fits = 0 < len(text) <= MAX_VALUE and text.isascii() and text.isprintable()
    return fits and text == text.strip()


def _carries_credential(lower: str) -> bool:
    words = _WORD.findall(lower)
    return any(word in _CREDENTIAL_WORDS or word.endswith(_CREDENTIAL_ENDS) for word in words)
