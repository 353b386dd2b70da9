"""A model server that always says one token: what is measured is never the model.

It runs in a process of its own, so that it takes no time from the caller's interpreter.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port

MODEL: Final = "one-token"

_USAGE: Final = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_SHARED: Final = {"id": "1", "created": 0, "model": MODEL}


def _choice(part: str, message: dict[str, str], finish: str | None) -> list[dict[str, Any]]:
    return [{"index": 0, part: message, "finish_reason": finish}]


def _head(media_type: str, length: int) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def _whole() -> bytes:
    choices = _choice("message", {"role": "assistant", "content": "ready"}, "stop")
    document = {**_SHARED, "object": "chat.completion", "choices": choices, "usage": _USAGE}
    body = json.dumps(document).encode()
    return _head("application/json", len(body)) + body


def _stream() -> bytes:
    kind = {**_SHARED, "object": "chat.completion.chunk"}
    chunks = [
        {**kind, "choices": _choice("delta", {"role": "assistant", "content": "ready"}, None)},
        {**kind, "choices": _choice("delta", {}, "stop")},
        {**kind, "choices": [], "usage": _USAGE},
    ]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return _head("text/event-stream", len(body)) + body.encode()


class _OneToken(asyncio.Protocol):
    """HTTP/1.1 with kept connections, as little of it as the libraries need."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self._received = b""
        streamed = b'"stream":true' in body.replace(b" ", b"")
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(_STREAM if streamed else _WHOLE)


def _length(head: bytes) -> int:
    _, separator, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n")[0]) if separator else 0


_WHOLE: Final = _whole()
_STREAM: Final = _stream()


@contextmanager
def one_token_upstream(folder: Path) -> Iterator[str]:
    """Run the server, and give its origin."""
    port = free_port()
    origin = f"http://{LOOPBACK}:{port}"
    argv = [sys.executable, "-m", "benchmarks.rig.upstream", str(port)]
    with ChildProcess(argv, env=bare_env(), ready=origin, log=folder / "upstream.log"):
        yield origin


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_OneToken, LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
