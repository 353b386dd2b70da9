"""The reachability test: a one-word prompt over the production path."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.errors import (
    CALL_ERRORS,
    AuthFailed,
    EmptyAnswer,
    ModelCallError,
    RequestRefused,
)
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.capabilities import Findings
from aurorasoc.llm.wire.asking.learned import Capabilities

DEADLINE_SECONDS: Final = 10.0
MAX_TOKENS: Final = 16
"""Some vendors refuse fewer than 16; a thinking model may show none of them."""


@dataclass(frozen=True, slots=True)
class CallTest:
    """The result of a test call. `ok` false is a result, not an error.

    Attributes:
        code: `ok`, or the code of what went wrong.
        latency_ms: Milliseconds until the answer or the failure.
        key_checked: Whether the endpoint refused a wrong key; None if that is unknown.
        capabilities: What the model can do; None if it didn't answer.
    """

    __pydantic_config__: ClassVar = DEFERRED

    connection: ConnectionName
    provider: ServingBackend
    model: str
    ok: bool
    code: Annotated[str, Field(examples=["ok", "auth_failed", "unreachable"])]
    detail: str
    latency_ms: int
    key_checked: bool | None
    capabilities: Capabilities | None = None

    def with_findings(self, findings: Findings) -> CallTest:
        """Return the same test with what the model can do; it fails if investigations would."""
        if findings.failure is None:
            return replace(self, capabilities=findings.capabilities)
        return replace(
            self,
            ok=False,
            code=findings.failure.code,
            detail=findings.failure.detail,
            capabilities=findings.capabilities,
        )


async def make_test_call(
    binding: Binding, with_wrong_key: Binding | None = None, deadline: float = DEADLINE_SECONDS
) -> CallTest:
    """Send a one-word prompt to a model.

    Args:
        binding: The model, built as production builds it.
        with_wrong_key: The same model with a wrong key: an endpoint that answers it doesn't
            check keys. None skips that.
        deadline: Seconds for the whole test.
    """
    started = time.monotonic()
    code, detail, latency, checked = "ok", "", 0.0, None
    try:
        async with asyncio.timeout(deadline):
            detail = await _ask(binding)
            latency = time.monotonic() - started
            checked = None if with_wrong_key is None else await _refuses(with_wrong_key)
    except ModelCallError as error:
        code, detail = error.code, error.detail
    except TimeoutError:
        if not latency:  # else the model answered, and only the key check took too long
            code, detail = "timeout", f"No answer within {deadline:g} s."
    if checked is False:
        detail += " It answered a wrong key as well: this endpoint doesn't check keys."
    return CallTest(
        connection=binding.reference.connection,
        provider=binding.reference.provider,
        model=binding.reference.model,
        ok=code == "ok",
        code=code,
        detail=detail,
        latency_ms=round((latency or time.monotonic() - started) * 1000),
        key_checked=checked,
    )


def error_of(result: CallTest) -> ModelCallError:
    """Return a failed test as the error that a call would have raised."""
    leaf = CALL_ERRORS[result.code]
    return leaf(result.detail, provider=result.provider, model=result.model)


async def _ask(binding: Binding) -> str:
    """Send the prompt; retry without a token limit, in case the model refuses one."""
    try:
        return await _answered(binding, max_tokens=MAX_TOKENS)
    except RequestRefused:
        return await _answered(binding)


async def _answered(binding: Binding, **options: int) -> str:
    try:
        await _run(binding, **options)
    except EmptyAnswer:
        return f"{binding.reference.model} answered without a visible token: it is reachable."
    return f"{binding.reference.model} answered."


async def _refuses(binding: Binding) -> bool | None:
    try:
        await _ask(binding)
    except AuthFailed:
        return True
    except ModelCallError:
        return None
    return False


async def _run(binding: Binding, **options: Any) -> None:
    from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - BeeAI costs seconds

    from aurorasoc.llm.models.handle import LiveChatModel  # noqa: PLC0415 - the same

    handle = LiveChatModel(lambda: binding, lambda pinned: lambda: pinned)
    await handle.run([UserMessage("Reply with one word: ready.")], **options)
