"""A Chat Completions server in one vendor's words, whose answers a test names."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tests.world.scripted import ScriptedUpstream


class Said(NamedTuple):
    """One answer of a vendor: a document, a text, or the text of a stream."""

    content: Any
    status: int = 200
    media_type: str = "application/json"


def events(*pieces: Any, done: bool = True) -> Said:
    """Stream documents as events; a text stands between them as it is."""
    blocks = [p if isinstance(p, str) else f"data: {json.dumps(p)}\n\n" for p in pieces]
    closing = ["data: [DONE]\n\n"] if done else []
    return Said("".join([*blocks, *closing]), media_type="text/event-stream")


class KnownVendor(ScriptedUpstream):
    """Answers calls in the order of `answers`, the last one again and again, and lists `models`.

    Args:
        answers: What it answers to calls.
        models: What it answers to a GET; None: it has no list.
    """

    def __init__(self, *answers: Said, models: Any = None) -> None:  # noqa: ANN401 - any JSON
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__(self._next)
        self.answers: Sequence[Said] = answers
        self.models = models

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, in order."""
        return [exchange.body for exchange in self.requests if exchange.method == "POST"]

    def _next(self) -> Iterator[bytes]:
        if self.requests[-1].method == "GET":
            yield _written(Said({}, 404) if self.models is None else Said(self.models))
            return
        yield _written(self.answers[min(len(self.bodies), len(self.answers)) - 1])


def _written(said: Said) -> bytes:
    text = said.content if isinstance(said.content, str) else json.dumps(said.content)
    body = text.encode()
    lines = [
        f"HTTP/1.1 {said.status} Said",
        f"Content-Type: {said.media_type}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
