"""How long a stream may be silent: until its first sign of life, and between pieces of an answer.

A model's thoughts show that it lives, and are no answer: they end the wait for a first token, and
don't put off `LLM_TIMEOUT`. Comments, pings and empty pieces, which servers and gateways send by
themselves, count for neither. Only waiting for the provider counts, not a caller who reads slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from aurorasoc.config.snapshot import CallLimits

T = TypeVar("T")


class NoFirstToken(Exception):
    """A model gave no sign of life within `LLM_FIRST_TOKEN_TIMEOUT`."""


class Patience:
    """Waits for the events of one stream.

    Args:
        limits: `timeout` holds from one piece of the answer to the next, and to the first;
            `first_token_timeout` to the first piece or thought.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._waited = 0.0
        self._alive = False

    async def next(self, events: AsyncIterator[T]) -> T | None:
        """Return the next event; None at the end.

        Raises:
            NoFirstToken, TimeoutError: The provider was silent for too long.
        """
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._left):
                return await anext(events, None)
        except TimeoutError:
            if self._awaits_life:
                raise NoFirstToken from None
            raise
        finally:
            self._waited += asyncio.get_running_loop().time() - started

    def thinks(self) -> None:
        """Note a thought."""
        self._alive = True

    def answers(self) -> None:
        """Note a piece of the answer: text, or a part of a tool call."""
        self._alive, self._waited = True, 0.0

    @property
    def _awaits_life(self) -> bool:
        return not self._alive and self._limits.first_token_timeout < self._limits.timeout

    @property
    def _left(self) -> float:
        first, rest = self._limits.first_token_timeout, self._limits.timeout
        return max(0.0, (first if self._awaits_life else rest) - self._waited)
