"""A request's body, bounded in bytes, time and depth before anything of it is parsed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from aurorasoc.core import foreign_json
from aurorasoc.core.encodings import in_utf8
from aurorasoc.errors import BodyTooLarge, InvalidInput, RequestTimeout

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MIB: Final = 1_048_576
MAX_BODY: Final = MIB
"""Bytes of a body, unless a route says otherwise. An alert has 256 KiB at most."""

MAX_DEPTH: Final = 64
"""Levels of lists and objects in a body."""

MAX_PARTS: Final = 50_000
"""Lists and objects in a body: each takes many times its bytes in memory."""

BODY_SECONDS: Final = 30.0
"""How long a body may take to arrive."""

_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRINGS: Final = re.compile(_STRING + rb'(?:[^"\[\]{}]*+' + _STRING + rb")*+", re.DOTALL)
"""Strings, to their end or the body's, and what stands between them."""

_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEPS: Final = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")
"""One level down, one level up, as signed bytes."""

Headers = Iterable[tuple[bytes, bytes]]


def announces_body(headers: Headers) -> bool:
    """Tell whether a body follows a request's head (RFC 9112 §6.3)."""
    fields = dict(headers)
    return b"transfer-encoding" in fields or fields.get(b"content-length", b"0").strip() != b"0"


async def read_body(receive: Receive, headers: Headers, most: int = MAX_BODY) -> bytes:
    """Read a body as it comes, and stop at the first byte too many.

    What comes in UTF-16 is returned in UTF-8: Python's parser reads both, and `require_shallow`
    would see brackets and quotation marks where there are none.

    Args:
        receive: The request's.
        headers: Its headers. `Content-Length` only serves to refuse early.
        most: Bytes that are taken.

    Raises:
        BodyTooLarge: There are more.
        RequestTimeout: It didn't arrive in time.
        InvalidInput: The caller hung up before its end, or it is in no encoding of Unicode.
    """
    if _announced(headers) > most:
        raise _too_large(most)
    parts, size, late = [], 0, False
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                parts.append(_part(message))
                size += len(parts[-1])
                if size > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        late = True
    if late:
        detail = f"The body didn't arrive within {BODY_SECONDS:.0f} seconds. Send it again."
        raise RequestTimeout(detail)
    return _in_utf8(b"".join(parts))


def require_shallow(body: bytes) -> None:
    """Refuse JSON that is nested too deeply, without parsing it.

    What is no JSON may pass: the parser refuses it.

    Raises:
        InvalidInput: It has more than `MAX_DEPTH` levels, or `MAX_PARTS` lists and objects.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    steps = _steps(body)
    if steps.count(b"\x01") > MAX_PARTS:
        detail = f"The body has more than {MAX_PARTS} lists and objects. Send less at once."
        raise InvalidInput(detail)
    if max(accumulate(memoryview(steps[: 2 * MAX_PARTS]).cast("b")), default=0) > MAX_DEPTH:
        detail = f"The body is nested more than {MAX_DEPTH} levels deep."
        raise InvalidInput(detail)


def count_parts(body: bytes, most: int) -> int:
    """Count the lists and objects of JSON, without parsing it.

    Args:
        body: The JSON.
        most: Where it doesn't matter any more how many there are: up to here, brackets in strings
            may be counted as well.
    """
    brackets = body.count(b"[") + body.count(b"{")
    return brackets if brackets <= most else _steps(body).count(b"\x01")


def _steps(body: bytes) -> bytes:
    """Return the levels that JSON goes down and up, one signed byte each."""
    return _STRINGS.sub(b"", body).translate(_STEPS, _NOT_BRACKETS)


def _in_utf8(body: bytes) -> bytes:
    with suppress(foreign_json.NotJson, UnicodeDecodeError):
        return foreign_json.in_unicode(in_utf8(body))
    detail = "The body isn't JSON in UTF-8."
    raise InvalidInput(detail)


def _announced(headers: Headers) -> int:
    try:
        return int(dict(headers).get(b"content-length", b"0"))
    except ValueError:  # the server refuses such a request itself; bytes are counted in any case
        return 0


def _part(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        detail = "The connection was closed before the end of the body."
        raise InvalidInput(detail)
    part: bytes = message.get("body", b"")
    return part


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {most // MIB} MiB. Send less at once.")
