"""What surrounds every model call: admission, slots, retries, time-out, and what it tells.

The provider's own exceptions hold keys in their request objects and tracebacks. They end here:
an error of ours is raised outside the `except` block, so that nothing of theirs is chained.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from aurorasoc.errors import AuroraError, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy

T = TypeVar("T")

Translate = Callable[[Exception, ModelReference], AuroraError]
Admit = Callable[[], Awaitable[None]]


class Ledger(Protocol):
    """Who is told how production calls end."""

    def succeeded(self, reference: ModelReference) -> None:
        """A call was answered."""

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """A call failed at the provider."""


_UNBOUNDED: Final = nullcontext()


async def _admit_all() -> None:
    """Nothing to prove: the call isn't restricted."""


@dataclass(frozen=True)
class CallSite:
    """The surroundings of one model's calls.

    Attributes:
        reference: The model that is called.
        translate: Makes one of our errors of whatever the adapter raised.
        ledger: Is told the outcome.
        slots: Bounds the calls under way in this process.
        admit: Raises `TlpRefused` when a restricted call would leave.
        reach: Which addresses may be connected to; None: the configuration is trusted.
    """

    reference: ModelReference
    translate: Translate
    ledger: Ledger
    slots: AbstractAsyncContextManager[object] = _UNBOUNDED
    admit: Admit = _admit_all
    reach: AddressPolicy | None = None

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and make it again while its failure may pass.

        Raises:
            ModelCallError: The provider failed.
            TlpRefused: The call may not leave.
        """
        async with self.slots:
            async for retry in self._retrying():
                with retry:
                    await self.admit()
                    result = await self._once(attempt)
        self.ledger.succeeded(self.reference)
        return result

    async def stream(self, attempt: Callable[[], AsyncIterator[T]]) -> AsyncIterator[T]:
        """Stream an answer; only what failed before its first piece is tried again.

        Raises:
            ModelCallError: The provider failed, possibly after some pieces.
            TlpRefused: The call may not leave.
        """
        async with self.slots:
            async for retry in self._retrying():
                with retry:
                    await self.admit()
                    pieces = attempt()
                    first = await self._once(lambda it=pieces: anext(it, None))  # type: ignore[misc]
            async with aclosing(pieces):  # type: ignore[type-var]
                piece = first
                while piece is not None:
                    yield piece
                    piece = await self._once(lambda: anext(pieces, None))
        self.ledger.succeeded(self.reference)

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            stop=stop_after_attempt(1 + self.reference.limits.max_retries),
            wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.2),
            retry=retry_if_exception(lambda e: isinstance(e, ModelCallError) and e.retryable),
            reraise=True,
        )

    async def _once(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self.reference.limits.timeout):
                return await attempt()
        except Exception as error:  # noqa: BLE001 - every exception of the adapter is translated
            failure = self.translate(error, self.reference)
        if isinstance(failure, ModelCallError):
            self.ledger.failed(self.reference, failure)
        raise failure
