"""The reachability test: one short call on the very path that production uses."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import EmptyAnswer, ModelCallError
from aurorasoc.llm.binding import Binding

DEADLINE_SECONDS: Final = 10.0
MAX_TOKENS: Final = 16
"""Some vendors refuse fewer than 16; a thinking model may show none of them."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a test found.

    Attributes:
        code: `ok`, or the code of what went wrong.
        latency_ms: Milliseconds until the answer or the failure.
        key_checked: Whether the endpoint was seen to refuse a wrong key; None: not tried.
    """

    provider: ServingBackend
    model: str
    ok: bool
    code: str
    detail: str
    latency_ms: int
    key_checked: bool | None = None


async def probe(binding: Binding, deadline: float = DEADLINE_SECONDS) -> ProbeResult:
    """Ask a model for a word.

    Args:
        binding: The model, built as production builds it.
        deadline: Seconds until the verdict is `timeout`.
    """
    from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - BeeAI costs seconds

    from aurorasoc.llm.handle import LiveChatModel  # noqa: PLC0415 - the same

    started = time.monotonic()
    handle = LiveChatModel(lambda: binding, lambda pinned: lambda: pinned)
    code, detail = "ok", f"{binding.reference.model} answered."
    try:
        async with asyncio.timeout(deadline):
            await handle.run([UserMessage("Reply with one word: ready.")], max_tokens=MAX_TOKENS)
    except EmptyAnswer:
        detail = f"{binding.reference.model} answered without a visible token: it is reachable."
    except ModelCallError as error:
        code, detail = error.code, error.detail
    except TimeoutError:
        code, detail = "timeout", f"No answer within {deadline:g} s."
    return ProbeResult(
        provider=binding.reference.provider,
        model=binding.reference.model,
        ok=code == "ok",
        code=code,
        detail=detail,
        latency_ms=round((time.monotonic() - started) * 1000),
    )
