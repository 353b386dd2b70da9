"""Warm-up: import the libraries and make their first call, after the API is ready.

The call goes to a stub of our own on loopback, never to a provider. It is skipped if a proxy
would redirect it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final
from urllib.request import proxy_bypass

from pydantic import SecretStr

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.clock import now_us
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError
from aurorasoc.granite import ModelReference
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.test_call import make_test_call
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.libraries import adapter

_ANSWER: Final = {
    "id": "warm-up",
    "object": "chat.completion",
    "created": 0,
    "model": "warm-up",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ready"}}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}

log = get_logger("aurorasoc.warm_up")


async def warm_up() -> None:
    """Import the libraries in a thread and make one call to a stub."""
    began = now_us()
    await adapter.load()
    if not {"http", "all"} & proxies().keys() or proxy_bypass("127.0.0.1"):
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        async with server:
            await _call(server.sockets[0].getsockname()[1])
    log.info("warm", seconds=round((now_us() - began) / 1e6, 2))


async def _call(port: int) -> None:
    origin = f"http://127.0.0.1:{port}"
    reference = ModelReference(
        connection="warm-up",
        provider=ServingBackend.VLLM,
        prefix="openai",
        model="warm-up",
        base_url=f"{origin}/v1",
        origin=origin,
        api_key=SecretStr("not-needed"),
        limits=CallLimits(timeout=5.0, max_retries=0, max_concurrency=None),
    )
    try:
        model = adapter.build(CallSite(reference, translate, TrafficLedger()))
        await make_test_call(Binding(model, reference, 0, "specialist", None, restricted=False))
    except AuroraError as error:
        log.info("no warm-up call", code=error.code)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer any request with a canned completion."""
    await reader.readuntil(b"\r\n\r\n")
    body = json.dumps(_ANSWER).encode()
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()
