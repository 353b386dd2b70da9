"""When a connection fails, the next one answers: whole answers, streams, tool calls, refusals."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.tools import StringToolOutput, tool
from pydantic import BaseModel

from aurorasoc import get_chat_model
from aurorasoc.errors import (
    ModelCallError,
    ProviderRateLimited,
    ProviderUnreachable,
)
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.wire.answers.outcome import outcome_of
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, opened, runtime, servers
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "runtime", "servers"]  # pytest finds them here

PING: Final[list[Any]] = [UserMessage("ping")]
DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)

MENDED: Final = {
    "reset": (Fault(reset=True), "unreachable"),
    "500": (DOWN, "overloaded"),
    "503": (Fault(status=503), "overloaded"),
    "429 that asks for a long wait": (
        Fault(status=429, headers={"Retry-After": "600"}),
        "rate_limited",
    ),
    "quota": (Fault(refusal=Refusal.QUOTA), "quota_exceeded"),
    "key refused": (Fault(refusal=Refusal.BAD_KEY), "auth_failed"),
    "a web page": (Fault.html(), "bad_response"),
    "no completion": (Fault(status=200, body=b'{"choices": []}'), "bad_response"),
}
CUT: Final = Fault(cut_after=3)


async def whole(model: LiveChatModel) -> ChatModelOutput:
    """Ask for a whole answer."""
    return await model.run(PING)


async def streamed(model: LiveChatModel) -> ChatModelOutput:
    """Ask for a stream."""
    return await model.run(PING, stream=True)


async def checked(model: LiveChatModel) -> ChatModelOutput:
    """Ask for a stream that is held back until it is whole."""
    return await model.run(PING, stream=True, checked=True)


WAYS: Final = {"whole": whole, "streamed": streamed, "checked": checked}
every_way = pytest.mark.parametrize("way", WAYS)


def attempts_of(result: ChatModelOutput | ModelCallError) -> list[tuple[str, str | None]]:
    """Return who was asked, and how that ended."""
    attempts = (outcome_of(result) if isinstance(result, ChatModelOutput) else result).attempts
    return [(attempt.connection, attempt.code) for attempt in attempts]


@every_way
@pytest.mark.parametrize("name", MENDED)
async def test_what_another_can_mend_the_next_one_answers(
    runtime: Runtime, line: InLine, name: str, way: str
) -> None:
    """Each kind of failure; each connection is asked once."""
    del runtime
    fault, code = MENDED[name]
    line.first.faults.set(fault)
    output = await WAYS[way](get_chat_model())
    assert output.get_text_content() == "m-second says: pong"
    assert attempts_of(output) == [("first", code), ("second", None)]
    assert line.asked == {"first": 1, "second": 1}


@every_way
async def test_an_answer_of_the_first_has_no_attempts(
    runtime: Runtime, line: InLine, way: str
) -> None:
    """Nobody else is asked."""
    del runtime
    output = await WAYS[way](get_chat_model())
    assert (output.get_text_content(), attempts_of(output)) == ("m-first says: pong", [])
    assert line.asked == {"first": 1}


@every_way
async def test_the_third_is_asked_when_two_have_failed(
    runtime: Runtime, line: InLine, way: str
) -> None:
    """In the order of the list."""
    del runtime
    line.first.faults.set(DOWN)
    line.second.faults.set(Fault(reset=True))
    output = await WAYS[way](get_chat_model())
    assert output.get_text_content() == "m-third says: pong"
    assert attempts_of(output) == [
        ("first", "overloaded"),
        ("second", "unreachable"),
        ("third", None),
    ]


@every_way
async def test_the_first_failure_is_reported_when_all_fail(
    runtime: Runtime, line: InLine, way: str
) -> None:
    """With its own wait, and all attempts beside it."""
    del runtime
    line.first.faults.set(Fault(status=429, headers={"Retry-After": "600"}))
    line.second.faults.set(DOWN)
    line.third.faults.set(Fault(reset=True))
    with pytest.raises(ProviderRateLimited, match=r"^first ") as failure:
        await WAYS[way](get_chat_model())
    assert failure.value.retry_after == 600
    assert attempts_of(failure.value) == [
        ("first", "rate_limited"),
        ("second", "overloaded"),
        ("third", "unreachable"),
    ]
    assert line.asked == {"first": 1, "second": 1, "third": 1}


NEVER: Final = {
    "unknown model": Fault(refusal=Refusal.UNKNOWN_MODEL),
    "request refused": Fault(refusal=Refusal.BAD_REQUEST),
    "nothing at the address": Fault(status=404),
    "content filter": Fault(
        status=400, body=b'{"error": {"code": "content_filter", "message": "filtered"}}'
    ),
    "nothing visible within a limit": Fault(empty_content=True),
    "context too long, windows unknown": Fault(
        status=400, body=b'{"error": {"code": "context_length_exceeded", "message": "too long"}}'
    ),
}


@every_way
@pytest.mark.parametrize("name", NEVER)
async def test_what_nobody_else_can_mend_is_asked_of_nobody_else(
    runtime: Runtime, line: InLine, name: str, way: str
) -> None:
    """A refusal isn't routed around, and a wrong configuration isn't hidden."""
    del runtime
    line.first.faults.set(NEVER[name])
    with pytest.raises(ModelCallError) as failure:
        await WAYS[way](get_chat_model())
    assert failure.value.attempts == ()
    assert line.asked.keys() == {"first"}


async def test_a_stream_that_breaks_after_a_piece_ends_in_an_error_that_says_so(
    runtime: Runtime, line: InLine
) -> None:
    """Nobody else is asked: the reader has seen the beginning."""
    del runtime
    line.first.faults.set(CUT)
    with pytest.raises(ProviderUnreachable, match="lost before its answer was whole"):
        await streamed(get_chat_model())
    assert line.asked == {"first": 1}


async def test_a_stand_ins_stream_that_breaks_after_a_piece_names_what_broke(
    runtime: Runtime, line: InLine
) -> None:
    """The first failure stands in the attempts."""
    del runtime
    line.first.faults.set(DOWN)
    line.second.faults.set(Fault(cut_after=5))
    with pytest.raises(ProviderUnreachable, match=r"second was lost") as failure:
        await streamed(get_chat_model())
    assert attempts_of(failure.value) == [("first", "overloaded"), ("second", "unreachable")]
    assert line.asked == {"first": 1, "second": 1}


async def _pieces(model: LiveChatModel, **options: Any) -> list[str]:
    pieces: list[str] = []
    async for data, event in model.run(PING, stream=True, **options):
        if event.name == "new_token":
            pieces.append(data.value.get_text_content())
    return pieces


async def test_a_checked_stream_that_breaks_shows_nothing_of_the_broken_answer(
    runtime: Runtime, line: InLine
) -> None:
    """The next one's pieces are all that is heard, one by one."""
    del runtime
    line.first.faults.set(CUT)
    pieces = await _pieces(get_chat_model(), checked=True)
    assert "".join(pieces) == "m-second says: pong"
    assert len(pieces) > 1


class Verdict(BaseModel):
    """What is asked for."""

    verdict: str


@pytest.mark.parametrize("stream", [False, True])
async def test_a_structured_answer_is_begun_anew(
    runtime: Runtime, line: InLine, *, stream: bool
) -> None:
    """At the next one, by its own means."""
    del runtime
    line.first.faults.set(DOWN)
    output = await get_chat_model().run(PING, response_format=Verdict, stream=stream)
    assert isinstance(output.output_structured, Verdict)
    assert line.asked["first"] == line.asked["second"] == 1


@tool
def lookup(host: str) -> StringToolOutput:
    """Look a host up."""
    return StringToolOutput(f"{host} is known")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("order", ["second", "third"])
@pytest.mark.parametrize("first", ["first", "second", "third"])
async def test_a_tool_call_is_begun_anew(
    libraries: None, database_file: Path, line: InLine, first: str, order: str, *, stream: bool
) -> None:
    """From an adapter that takes `required` to one that doesn't, and back."""
    del libraries
    if order == first:
        order = "first"
    line.all[first].faults.set(DOWN)
    async with opened(database_file.parent, line, LLM_BACKEND=first, LLM_FALLBACKS=order):
        output = await get_chat_model().run(
            PING, tools=[lookup], tool_choice="required", stream=stream
        )
    (call,) = output.get_tool_calls()
    assert call.tool_name == "lookup"
    assert attempts_of(output) == [(first, "overloaded"), (order, None)]
    assert line.asked == {first: 1, order: 1}
