"""As much HTTP/1.1 as a vendor's front door needs, with hands on the raw transport.

A web framework would hide what these tests are about: resets, cut streams, empty streams.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

_BODY_LIMIT: Final = 2**24


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request. Header names are lower case; `body` is parsed JSON or None."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    host: str
    headers: Mapping[str, str]
    body: Any
    tls: bool
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: a `body`, or a stream of already framed `events`."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[bytes] | None = None

    @classmethod
    def of(cls, document: object, status: int = 200, **headers: str) -> Self:
        """Answer a JSON document; underscores in header names stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(document).encode(), headers=named)

    @classmethod
    def stream(cls, events: Sequence[bytes]) -> Self:
        """Answer server-sent events."""
        return cls(media_type="text/event-stream", events=events)

    def head(self) -> bytes:
        """Return the status line and headers; a stream is chunked, a body has its length."""
        framing = (
            {"Content-Length": str(len(self.body))}
            if self.events is None
            else {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"}
        )
        headers = {"Content-Type": self.media_type, **framing, **self.headers}
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def sse(document: object, event: str | None = None) -> bytes:
    """Frame one server-sent event; a string is sent as it is, anything else as JSON."""
    data = document if isinstance(document, str) else json.dumps(document)
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {data}\n\n".encode()


def chunk(payload: bytes) -> bytes:
    """Frame one chunk of a chunked body; an empty payload ends that body."""
    return b"%x\r\n%s\r\n" % (len(payload), payload)


async def read_exchange(reader: asyncio.StreamReader, *, tls: bool) -> Exchange | None:
    """Read one request, or None where the peer has hung up, or doesn't speak HTTP at all."""
    first = await reader.read(1)
    if not first.isalpha():  # a TLS greeting begins with 0x16, and would never end a line
        return None
    head = first + await reader.readuntil(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    raw = await _read_body(reader, headers)
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    host = headers.get("host", "")
    return Exchange(method, parts.path, query, host, headers, _parsed(raw), tls, raw)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = bytearray()
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts += (await reader.readexactly(min(size, _BODY_LIMIT) + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return bytes(parts)
    return await reader.readexactly(min(int(headers.get("content-length", "0")), _BODY_LIMIT))


def _parsed(raw: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
