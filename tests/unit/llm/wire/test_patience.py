"""How long a stream may be silent."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.llm.wire.patience import NoFirstToken, Patience


def _patience(first: float, rest: float) -> Patience:
    return Patience(CallLimits(rest, 0, None, first))


async def _silence() -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield ""


async def _signs(count: int = 1_000_000) -> AsyncIterator[str]:
    for _ in range(count):
        await asyncio.sleep(0.01)
        yield "sign"


async def _all(patience: Patience, signs: AsyncIterator[str], note: Callable[[], None]) -> int:
    """Return how many signs came before the end."""
    count = 0
    while await patience.next(signs):
        note()
        count += 1
    return count


def _nothing() -> None:
    """Take a sign for none of the model's."""


async def test_silent_model_is_given_up_early() -> None:
    """Long before an answer would be late."""
    async with asyncio.timeout(60):
        with pytest.raises(NoFirstToken):
            await _patience(0.05, 3600).next(_silence())


async def test_signs_that_are_no_tokens_dont_keep_it_alive() -> None:
    """Pings and comments come from the server, not from the model."""
    async with asyncio.timeout(60):
        with pytest.raises(NoFirstToken):
            await _all(_patience(0.05, 3600), _signs(), _nothing)


async def test_thought_is_a_first_token_and_no_answer() -> None:
    """It ends the wait for life, and the wait for an answer goes on."""
    patience = _patience(0.05, 0.2)
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await _all(patience, _signs(), patience.thinks)


async def test_each_piece_of_the_answer_begins_the_wait_anew() -> None:
    """An answer may take as long as it is long."""
    patience = _patience(0.5, 1.0)
    assert await _all(patience, _signs(count=150), patience.answers) == 150


async def test_stalled_answer_is_given_up() -> None:
    """Its connection may be open for ever."""
    patience = _patience(0.05, 0.1)
    patience.answers()
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await patience.next(_silence())


async def test_slow_caller_doesnt_use_up_the_time() -> None:
    """Only the provider's silence counts."""
    patience, signs = _patience(0.5, 0.5), _signs(count=3)
    seen = 0
    while await patience.next(signs):
        await asyncio.sleep(0.3)
        patience.thinks()
        seen += 1
    assert seen == 3


async def test_first_token_has_no_more_time_than_the_answer() -> None:
    """`LLM_TIMEOUT` is named where it is the shorter one."""
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await _patience(3600, 0.05).next(_silence())
