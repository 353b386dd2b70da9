"""JSON that others wrote: no text comes out of it that UTF-8 can't express.

Python's parser turns half a surrogate pair, escaped or not, into a text that no encoder takes
(RFC 8259 §8.2).
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any, Final, NoReturn

_PAIR: Final = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_HALVES: Final = re.compile(
    rf"((?:[^\\]++|{_PAIR}|\\(?!u[dD][89a-fA-F])(?:.|\Z))*+)({_HALF}|\\|\Z)", re.DOTALL
)
"""What stands before half a pair, or the end: read from the beginning, `\\\\ud800` is none."""

MAX_HALVES: Final = 10_000
"""Of a text: each takes as long as a thousand characters, and no program writes so many."""

_SUSPECT: Final = re.compile(r"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """It isn't JSON in UTF-8, or can't be parsed."""


def parsed(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse what somebody else sent; what is no Unicode becomes U+FFFD.

    Raises:
        NotJson: It isn't JSON, or is nested too deeply to be parsed.
    """
    return _parsed(data.decode("utf-8-sig", "replace"))


def parsed_strictly(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Parse stored JSON into values that every encoder takes; surrogates become U+FFFD.

    Raises:
        NotJson: It isn't JSON, is nested too deeply to be parsed, or holds NaN or Infinity.
    """
    return _parsed(text, parse_constant=_refuse, parse_float=_finite)


def in_unicode(body: bytes) -> bytes:
    """Return a body in UTF-8 with surrogates replaced; one that isn't UTF-8 stays as it is.

    Raises:
        NotJson: It has too many of them.
    """
    with suppress(UnicodeDecodeError):
        text = repaired(body.decode("utf-8", "surrogatepass"))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return body


def repaired(text: str) -> str:
    """Return JSON with each escape of half a surrogate pair replaced by that of U+FFFD.

    Raises:
        NotJson: It has more than `MAX_HALVES` of them.
    """
    if _SUSPECT.search(text) is None:
        return text
    plain, parts = _HALVES.subn(_replaced, text, MAX_HALVES + 2)
    if parts > MAX_HALVES + 1:  # the end is one
        raise NotJson
    return plain


def _replaced(part: re.Match[str]) -> str:
    return f"{part[1]}\\ufffd" if len(part[2]) > 1 else part[0]


def _parsed(text: str, **options: Any) -> Any:  # noqa: ANN401 - any JSON value
    with suppress(ValueError, RecursionError):
        return json.loads(repaired(text), **options)
    raise NotJson


def _refuse(constant: str) -> NoReturn:
    raise NotJson(constant)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise NotJson
    return value
