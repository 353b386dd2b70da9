"""A bounded reader of server-sent events (WHATWG HTML, 9.2), for what a provider streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aurorasoc.llm.wire.failures.translate import AnswerTooLong

MAX_STREAM_BYTES: Final = 64_000_000
"""Bytes of one stream: 128,000 tokens in events of 500 bytes."""

MAX_EVENTS: Final = 150_000
"""Events of one stream: BeeAI keeps 6 kB of each until the end."""

MAX_LINE_BYTES: Final = 8_000_000
"""Bytes of one line: a Responses stream repeats the whole answer in its last event."""

MAX_EVENT_BYTES: Final = MAX_LINE_BYTES
"""Bytes of one event's data, over all its lines."""

_ERROR: Final = b"error: "
"""A field of no standard: llama.cpp before September 2025 sent `error: {"code": 400, …}`."""

_BOM: Final = b"\xef\xbb\xbf"


class EventReader:
    """Takes bytes as they come and returns the data of the events that they complete."""

    def __init__(self) -> None:
        self.count = 0
        self._size = 0
        self._line = bytearray()
        self._data: bytearray | None = None
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of each event that is complete.

        Raises:
            AnswerTooLong: A line, an event, their number or the whole exceed their bound.
        """
        self._size += len(chunk)
        if self._size > MAX_STREAM_BYTES:
            raise AnswerTooLong
        lines = chunk.split(b"\n")
        for ending in lines[:-1]:
            self._extend(ending)
            line = bytes(self._line)
            self._line.clear()
            yield from self._take(line.removesuffix(b"\r"))
        self._extend(lines[-1])

    def end(self) -> Iterator[bytes]:
        """Yield what was left without its blank line when the stream ended."""
        yield from self._take(bytes(self._line).removesuffix(b"\r"))
        yield from self._take(b"")

    def _extend(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > MAX_LINE_BYTES:
            raise AnswerTooLong

    def _take(self, line: bytes) -> Iterator[bytes]:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if line.startswith(b"data:"):
            self._extend_data(line[5:].removeprefix(b" "))
        elif line.startswith(_ERROR):
            self._extend_data(b'{"error": ' + line.removeprefix(_ERROR) + b"}")
        elif not line and self._data is not None:
            self.count += 1
            if self.count > MAX_EVENTS:
                raise AnswerTooLong
            data, self._data = bytes(self._data), None
            yield data

    def _extend_data(self, line: bytes) -> None:
        if self._data is None:
            self._data = bytearray(line)
        else:
            self._data += b"\n" + line
        if len(self._data) > MAX_EVENT_BYTES:
            raise AnswerTooLong
