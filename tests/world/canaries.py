"""Keys that exist nowhere else, and a search for them in every common encoding.

The encodings are written down here anew, not taken from the service's own redaction: what it
forgets must be found.
"""

import base64
import html
import json
import os
import random
import secrets
import string
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

SOAK: Final = os.environ.get("AURORASOC_SOAK") == "1"

_ALNUM: Final = string.ascii_letters + string.digits
_ODD: Final = "\"'\\<>&%{}|~^`$#;:,/+="
_DICE: Final = random.SystemRandom()


def _text(alphabet: str, length: int) -> str:
    return "".join(_DICE.choice(alphabet) for _ in range(length))


def canaries(count: int) -> list[str]:
    """Make keys of the shapes that vendors hand out, and of worse ones."""
    shapes = (
        lambda: f"sk-{_text(_ALNUM, 48)}",
        lambda: f"sk-ant-api03-{_text(_ALNUM + '-_', 40)}-{_text(_ALNUM, 4)}AA",
        lambda: f"AIza{_text(_ALNUM + '-_', 35)}",
        lambda: f"{_text(_ALNUM, 10)}7",  # too short for `key_last4`; a word would be no key
        lambda: base64.b64encode(secrets.token_bytes(31)).decode(),  # ends in "="
        lambda: f"a+/={_text(_ALNUM + '+/=', 36)}",
        lambda: secrets.token_hex(20),
        lambda: _text(_ALNUM, 512),
        lambda: f"k{_text(_ODD, 6)}{_text(_ALNUM + _ODD, 24)}{_text(_ODD, 3)}z",
        lambda: f"Bearer:{_text(_ALNUM, 24)}",
    )
    return [shapes[number % len(shapes)]() for number in range(count)]


def forms(key: str) -> set[bytes]:
    """Return a key as it is, in base64 at each alignment, in hex, quoted and escaped."""
    raw = key.encode()
    texts = {key, raw.hex(), raw.hex().upper(), quote(key), quote(key, safe=""), quote_plus(key)}
    texts |= {json.dumps(key)[1:-1], json.dumps(json.dumps(key)[1:-1])[1:-1], repr(key)[1:-1]}
    texts |= {repr(raw)[2:-1], html.escape(key), "".join(f"%{byte:02X}" for byte in raw)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode):
        size, bits = (5, 5) if encode is base64.b32encode else (3, 6)
        for shift in range(size):  # the characters that stand for the key's bits and no others
            coded = encode(b"\0" * shift + raw).decode().rstrip("=")
            first, last = -(-8 * shift // bits), 8 * (shift + len(raw)) // bits
            texts.add(coded[first:last])
    return {text.encode() for text in texts}


def found(keys: Iterable[str], places: Mapping[str, bytes]) -> list[str]:
    """Name each place that holds a key, and the key: an empty list is what is wanted."""
    return [
        f"{place} holds {key!r} as {form!r}"
        for key in keys
        for form in forms(key)
        for place, content in places.items()
        if form in content
    ]
