"""The sixteen faults of a public crash test of gateways, each with its right outcome.

Of two providers the first is in trouble. For each fault, whole, streamed and checked: who answered
or how the call was refused, how often each was asked, and that nothing was passed off as whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from aurorasoc import open_runtime
from aurorasoc.errors import ModelCallError
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.chat import Answer, Message, begin
from tests.examples import settings
from tests.world.databases import DATABASES
from tests.world.troubled import (
    BEGUN,
    PROMPT_TOKENS,
    TEXT,
    WORDS,
    Trouble,
    TroubledProvider,
)

TRIES: Final = 2
"""What `LLM_MAX_RETRIES=1` allows."""

WHOLE, STREAMED, CHECKED = "whole", "streamed", "checked"
MODES: Final = (WHOLE, STREAMED, CHECKED)


@dataclass(frozen=True)
class Outcome:
    """How a call ends.

    Attributes:
        by: Who answers; None: nobody does, and `code` says why.
        code: The failure's code.
        first: How often the first provider is asked.
        second: How often the second one is.
        words: How many words the caller has seen before a failure.
    """

    by: str | None
    code: str | None = None
    first: int = 1
    second: int = 0
    words: int = 0


def falls_over(first: int = TRIES) -> dict[str, Outcome]:
    """Answer from the second provider, whichever way it is asked."""
    return dict.fromkeys(MODES, Outcome("second", first=first, second=1))


def answers(first: int = 1) -> dict[str, Outcome]:
    """Answer from the first provider."""
    return dict.fromkeys(MODES, Outcome("first", first=first))


def is_refused(code: str) -> dict[str, Outcome]:
    """Refuse at once: nobody else is asked."""
    return dict.fromkeys(MODES, Outcome(None, code))


def breaks_off(code: str, whole: int = TRIES) -> dict[str, Outcome]:
    """Fall over, but not once the caller has seen some of the answer."""
    seen = Outcome(None, code, words=BEGUN)
    checked = Outcome("second", first=1, second=1)
    return {**falls_over(whole), STREAMED: seen, CHECKED: checked}


OUTCOMES: Final[dict[Trouble, dict[str, Outcome]]] = {
    Trouble.ASKS_TO_WAIT: falls_over(first=1),
    Trouble.RATE_LIMITED: falls_over(),
    Trouble.FAILS_ONCE: answers(first=2),
    Trouble.DOWN: falls_over(),
    Trouble.RESET: falls_over(),
    Trouble.SILENT: falls_over(first=1),
    Trouble.LATE: falls_over(first=1),
    Trouble.CUT: breaks_off("unreachable"),
    Trouble.STALLED: breaks_off("timeout", whole=1),
    Trouble.MALFORMED: breaks_off("bad_response", whole=1),
    Trouble.NO_DONE: answers(),
    Trouble.TOO_LONG: is_refused("context_too_long"),
    Trouble.FILTERED: is_refused("blocked"),
    Trouble.CUT_AND_NO_PREFILL: breaks_off("unreachable"),
    Trouble.DOWN_AND_BACK: falls_over(),
    Trouble.COUNTED: breaks_off("unreachable"),
}


@pytest.fixture(scope="module")
def providers() -> Iterator[tuple[TroubledProvider, TroubledProvider]]:
    """Start both."""
    with TroubledProvider() as first, TroubledProvider() as second:
        yield first, second


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return short time-outs where one of them has to pass; a busy machine exceeds them."""
    trouble = getattr(request.node, "callspec", None) and request.node.callspec.params.get(
        "trouble"
    )
    if trouble in {Trouble.SILENT, Trouble.LATE, Trouble.STALLED}:
        return {"LLM_TIMEOUT": "3", "LLM_FIRST_TOKEN_TIMEOUT": "2"}
    return {}


@pytest.fixture
async def runtime(
    libraries: None,
    patience: dict[str, str],
    tmp_path: Path,
    providers: tuple[TroubledProvider, TroubledProvider],
) -> AsyncIterator[Runtime]:
    """Open a runtime in which the second connection stands in for the first."""
    del libraries
    DATABASES.migrated(tmp_path)
    variables = {
        "LLM_BACKEND": "first",
        "LLM_FALLBACKS": "second",
        "LLM_MAX_RETRIES": str(TRIES - 1),
        **patience,
    }
    for name, server in zip(("FIRST", "SECOND"), providers, strict=True):
        variables |= {
            f"LLM_CONNECTION_{name}_PROVIDER": "openai",
            f"LLM_CONNECTION_{name}_BASE_URL": server.url,
            f"LLM_CONNECTION_{name}_MODEL": f"m-{name.lower()}",
            f"LLM_CONNECTION_{name}_API_KEY": f"sk-of-the-test-{name.lower()}-01",
        }
    async with open_runtime(settings(tmp_path, **variables)) as opened:
        yield opened


@dataclass
class Called:
    """What a caller got: the pieces it saw, and the answer or the failure."""

    pieces: list[str]
    answer: Answer | None = None
    failure: ModelCallError | None = None


async def call(mode: str) -> Called:
    """Ask once."""
    conversation = await begin([Message("user", "ping")])
    called = Called([])
    try:
        if mode == WHOLE:
            called.answer = await conversation.answer()
            return called
        async for piece in conversation.stream(checked=mode == CHECKED):
            if isinstance(piece, str):
                called.pieces.append(piece)
            else:
                called.answer = piece
    except ModelCallError as error:
        called.failure = error
    return called


def test_all_sixteen_are_judged() -> None:
    """Each fault has an outcome for each way of asking."""
    assert len(OUTCOMES) == 16
    assert set(OUTCOMES) == set(Trouble) - {Trouble.NONE}
    assert all(set(outcomes) == set(MODES) for outcomes in OUTCOMES.values())


@pytest.mark.parametrize(
    ("trouble", "mode"),
    [pytest.param(*case, id=f"{case[0]}, {case[1]}") for case in product(OUTCOMES, MODES)],
)
async def test_each_fault_ends_as_it_should(
    runtime: Runtime,
    providers: tuple[TroubledProvider, TroubledProvider],
    trouble: Trouble,
    mode: str,
) -> None:
    """Answered by whom, or refused how; and nobody is asked more often than that takes."""
    del runtime
    first, second = providers
    first.begin(trouble)
    second.begin(Trouble.NONE)
    expected = OUTCOMES[trouble][mode]
    called = await call(mode)
    assert (len(first.asked), len(second.asked)) == (expected.first, expected.second)
    if expected.by is None:
        assert called.failure is not None
        assert called.failure.code == expected.code
        assert called.answer is None
        assert len(called.pieces) == expected.words
        return
    assert called.answer is not None
    assert (called.answer.content, called.answer.connection) == (TEXT, expected.by)
    if mode != WHOLE:
        assert "".join(called.pieces) == TEXT
    fell_over = [attempt.connection for attempt in called.answer.attempts]
    assert fell_over == (["first", "second"] if expected.second else [])


@pytest.mark.parametrize("mode", [WHOLE, CHECKED])
async def test_only_the_answer_is_counted(
    runtime: Runtime, providers: tuple[TroubledProvider, TroubledProvider], mode: str
) -> None:
    """What a failed attempt had counted belongs to no answer."""
    del runtime
    first, second = providers
    first.begin(Trouble.COUNTED)
    second.begin(Trouble.NONE)
    called = await call(mode)
    assert called.answer is not None
    assert called.answer.usage == {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": len(WORDS),
        "total_tokens": PROMPT_TOKENS + len(WORDS),
    }


async def test_who_stands_in_is_asked_the_whole_question_anew(
    runtime: Runtime, providers: tuple[TroubledProvider, TroubledProvider]
) -> None:
    """No answer is begun for it: not every provider goes on with one, and none should."""
    del runtime
    first, second = providers
    first.begin(Trouble.CUT_AND_NO_PREFILL)
    second.begin(Trouble.NONE)
    await call(CHECKED)
    assert second.requests[0].body["messages"] == first.requests[0].body["messages"]


async def test_a_provider_that_is_down_is_not_hammered(
    runtime: Runtime, providers: tuple[TroubledProvider, TroubledProvider]
) -> None:
    """Its breaker opens; it is asked again once, and stays in use once it answers."""
    first, second = providers
    first.begin(Trouble.DOWN_AND_BACK)
    second.begin(Trouble.NONE)
    for _ in range(10):
        called = await call(WHOLE)
        assert called.answer is not None
        assert called.answer.connection == "second"
    assert len(first.asked) < 10
    assert len(second.asked) == 10
    first.trouble = Trouble.NONE
    await runtime.admin.test("first", role="specialist", actor="test")  # whose answer closes it
    called = await call(WHOLE)
    assert called.answer is not None
    assert called.answer.connection == "first"
