"""Who stands in: by window, for refusals, for a whole run, and who is passed over."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.agents.requirement import RequirementAgent
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.tools import StringToolOutput, tool

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import Blocked, ContextTooLong, ModelCallError, ProviderOverloaded, TlpRefused
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.wire.answers.outcome import outcome_of
from aurorasoc.llm.wire.breaker import FAILURES
from aurorasoc.llm.wire.windows.known import ContextWindow, forget_window, keep_window
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, opened, servers
from tests.component.live import until
from tests.component.llm.models.test_continuity import attempts_of
from tests.examples import policy_request
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "servers"]  # pytest finds them here

PING: Final[list[Any]] = [UserMessage("ping")]
DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
DOWN_ONCE: Final = Fault(refusal=Refusal.SERVER_ERROR, times=1)
FILTERED: Final = Fault(
    status=400, body=b'{"error": {"code": "content_filter", "message": "filtered"}}'
)
TOO_LONG: Final = Fault(
    status=400, body=b'{"error": {"code": "context_length_exceeded", "message": "too long"}}'
)
LOCALLY: Final = {"LLM_ON_REFUSAL": "local", "LLM_LOCAL_BACKEND": "third"}


@pytest.fixture
def state(database_file: Path) -> Path:
    """Return a folder with a migrated database."""
    return database_file.parent


@pytest.fixture
async def runtime(state: Path, line: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime whose first connection is active, with the others as fallbacks."""
    async with opened(state, line) as runtime:
        yield runtime


def _events(*deltas: dict[str, Any], ended: str | None = None) -> Fault:
    """Return a stream of these deltas that ends for a reason, or breaks off."""
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    if ended:
        choices.append({"index": 0, "delta": {}, "finish_reason": ended})
    events = [json.dumps({"id": "1", "model": "m", "choices": [choice]}) for choice in choices]
    body = "".join(f"data: {event}\n\n" for event in [*events, *["[DONE]"] * bool(ended)])
    return Fault(status=200, body=body.encode(), media_type="text/event-stream")


def _said(output: ChatModelOutput) -> str:
    return str([message.content for message in output.output])


async def test_an_empty_answer_is_asked_of_the_next(runtime: Runtime, line: InLine) -> None:
    """Nothing was shown."""
    del runtime
    message = {"role": "assistant", "content": ""}
    body = {"id": "1", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    line.first.faults.set(Fault(status=200, body=json.dumps(body).encode()))
    output = await get_chat_model().run(PING)
    assert attempts_of(output) == [("first", "bad_response"), ("second", None)]


async def test_a_stream_that_breaks_off_in_its_thoughts_falls_over(
    runtime: Runtime, line: InLine
) -> None:
    """They wait for the first piece of the answer, so nobody saw them; none is mixed in."""
    del runtime
    line.first.faults.set(_events({"reasoning_content": "Hm."}, {"reasoning_content": "Well."}))
    output = await get_chat_model().run(PING, stream=True)
    assert attempts_of(output) == [("first", "unreachable"), ("second", None)]
    assert "Hm" not in _said(output)


async def test_thoughts_come_before_the_answer_that_they_lead_to(
    runtime: Runtime, line: InLine
) -> None:
    """Held back, and not lost."""
    del runtime
    thought, text = {"reasoning_content": "Hm."}, {"content": "Yes."}
    line.first.faults.set(_events(thought, text, ended="stop"))
    output = await get_chat_model().run(PING, stream=True)
    assert "Hm." in _said(output)
    assert (output.get_text_content(), outcome_of(output).thoughts) == ("Yes.", "Hm.")


async def test_own_retries_come_first(state: Path, line: InLine) -> None:
    """What passes by itself is nobody else's."""
    line.first.faults.set(DOWN_ONCE)
    async with opened(state, line, LLM_MAX_RETRIES="1"):
        output = await get_chat_model().run(PING)
    assert (output.get_text_content(), line.asked) == ("m-first says: pong", {"first": 2})


async def test_who_is_not_asked_for_a_while_is_passed_at_once(
    runtime: Runtime, line: InLine
) -> None:
    """An open breaker's calls go to the next without a request to the first."""
    line.first.faults.set(DOWN)
    for _ in range(FAILURES):
        await get_chat_model().run(PING)
    line.clear()
    output = await get_chat_model().run(PING)
    assert attempts_of(output) == [("first", "overloaded"), ("second", None)]
    assert line.asked == {"second": 1}
    assert runtime.admin.ledger.fall_overs["first", "second", "overloaded"] == FAILURES + 1


async def test_without_fallbacks_nobody_else_is_asked(state: Path, line: InLine) -> None:
    """The default."""
    line.first.faults.set(DOWN)
    async with opened(state, line, LLM_FALLBACKS=""):
        with pytest.raises(ProviderOverloaded) as failure:
            await get_chat_model().run(PING)
    assert (failure.value.attempts, line.asked) == ((), {"first": 1})


async def test_who_has_no_key_is_passed_over(state: Path, line: InLine) -> None:
    """And stands in the attempts, with its reason and no time."""
    line.first.faults.set(DOWN)
    async with opened(state, line, LLM_CONNECTION_SECOND_API_KEY=""):
        output = await get_chat_model().run(PING)
    assert attempts_of(output) == [
        ("first", "overloaded"),
        ("second", "provider_not_ready"),
        ("third", None),
    ]
    assert outcome_of(output).attempts[1].seconds == 0
    assert "second" not in line.asked


@asynccontextmanager
async def _windows(runtime: Runtime, **sizes: int) -> AsyncIterator[None]:
    """Let it be known how many tokens each connection's model holds."""
    snapshot = runtime.adoption.snapshot
    known = {
        runtime.pool.of_connection(name, "specialist", snapshot).reference: size
        for name, size in sizes.items()
    }
    for reference, size in known.items():
        keep_window(reference, ContextWindow(size, "server"))
    try:
        yield
    finally:
        for reference in known:
            forget_window(reference)


@pytest.mark.parametrize(
    ("window", "answers"), [(8_192, False), (8_193, True)], ids=["no larger", "larger"]
)
async def test_a_long_prompt_goes_where_the_window_is_known_to_be_larger(
    state: Path, line: InLine, window: int, *, answers: bool
) -> None:
    """An unknown window isn't taken for a larger one: `second` is passed by."""
    line.first.faults.set(TOO_LONG)
    async with opened(state, line) as runtime, _windows(runtime, first=8_192, third=window):
        try:
            output = await get_chat_model().run(PING)
        except ContextTooLong:
            output = None
    assert line.asked == ({"first": 1, "third": 1} if answers else {"first": 1})
    assert (output is not None) == answers


@pytest.mark.parametrize(
    ("window", "answers"), [(8_192, False), (9_000, True)], ids=["no larger", "larger"]
)
async def test_a_long_prompt_that_met_another_failure_still_needs_a_larger_window(
    state: Path, line: InLine, window: int, *, answers: bool
) -> None:
    """Larger than the one it didn't fit; `second` is down, and says nothing of the prompt."""
    line.first.faults.set(TOO_LONG)
    line.second.faults.set(DOWN)
    sizes = {"first": 8_192, "second": 32_768, "third": window}
    async with opened(state, line) as runtime, _windows(runtime, **sizes):
        try:
            result: ChatModelOutput | ModelCallError = await get_chat_model().run(PING)
        except ContextTooLong as error:
            result = error
    last = [("third", None)] if answers else []
    asked = [("first", "context_too_long"), ("second", "overloaded"), *last]
    assert attempts_of(result) == asked


async def test_a_long_prompt_is_declined_rather_than_asked_of_a_smaller_local_model(
    state: Path, line: InLine
) -> None:
    """The first failure is the answer."""
    line.first.faults.set(TOO_LONG)
    body = b'{"type": "error", "error": {"type": "x", "code": "content_filter", "message": "no"}}'
    line.second.faults.set(Fault(status=400, body=body))
    sizes = {"first": 8_192, "second": 32_768, "third": 4_096}
    async with (
        opened(state, line, LLM_FALLBACKS="second", **LOCALLY) as runtime,
        _windows(runtime, **sizes),
    ):
        with pytest.raises(ContextTooLong) as failure:
            await get_chat_model().run(PING)
    assert attempts_of(failure.value) == [("first", "context_too_long"), ("second", "blocked")]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_hosted_model_declines_the_local_one_is_asked(
    state: Path, line: InLine, *, stream: bool
) -> None:
    """Where the policy wants it; no other vendor is."""
    line.first.faults.set(FILTERED)
    async with opened(state, line, **LOCALLY):
        output = await get_chat_model().run(PING, stream=stream)
    assert attempts_of(output) == [("first", "blocked"), ("third", None)]
    assert line.asked == {"first": 1, "third": 1}


async def test_what_a_stand_in_declines_the_local_one_is_asked(state: Path, line: InLine) -> None:
    """Hosted is hosted."""
    line.first.faults.set(DOWN)
    body = b'{"type": "error", "error": {"type": "x", "code": "content_filter", "message": "no"}}'
    line.second.faults.set(Fault(status=400, body=body))
    async with opened(state, line, LLM_FALLBACKS="second", **LOCALLY):
        output = await get_chat_model().run(PING)
    assert attempts_of(output) == [("first", "overloaded"), ("second", "blocked"), ("third", None)]


async def test_what_the_local_one_declines_too_is_declined(state: Path, line: InLine) -> None:
    """It is asked once, and the first refusal is the answer."""
    line.first.faults.set(FILTERED)
    line.third.faults.set(FILTERED)
    async with opened(state, line, **LOCALLY):
        with pytest.raises(Blocked, match="at first") as failure:
            await get_chat_model().run(PING)
    assert attempts_of(failure.value) == [("first", "blocked"), ("third", "blocked")]


async def test_a_refusal_is_not_routed_around_once_a_piece_was_seen(
    state: Path, line: InLine
) -> None:
    """The reader would see two answers in one."""
    line.first.faults.set(_events({"content": "To build it,"}, ended="content_filter"))
    async with opened(state, line, **LOCALLY):
        with pytest.raises(Blocked):
            await get_chat_model().run(PING, stream=True)
    assert line.asked == {"first": 1}


async def test_a_local_backend_that_is_not_there_is_named(state: Path, line: InLine) -> None:
    """With `auto`, nobody may answer: the refusal stands."""
    line.first.faults.set(FILTERED)
    variables = LOCALLY | {"LLM_LOCAL_BACKEND": "auto"}
    nowhere = {"LLM_VLLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_OLLAMA_BASE_URL": ""}
    async with opened(state, line, **variables, **nowhere):
        with pytest.raises(Blocked) as failure:
            await get_chat_model().run(PING)
    assert attempts_of(failure.value) == [("first", "blocked"), ("auto", "backend_unavailable")]


async def _answering(model: LiveChatModel) -> str:
    return (await model.run(PING)).get_text_content()


async def test_a_pinned_handle_stays_with_who_answered(runtime: Runtime, line: InLine) -> None:
    """Though the first one is back; a new one begins there again."""
    del runtime
    line.first.faults.set(DOWN_ONCE)
    clone = await get_chat_model().clone()
    assert [await _answering(clone) for _ in range(2)] == ["m-second says: pong"] * 2
    assert clone.pinned.reference.connection == "second"
    assert await _answering(get_chat_model()) == "m-first says: pong"


async def test_a_handle_that_is_not_pinned_goes_back(runtime: Runtime, line: InLine) -> None:
    """Each of its calls begins with who is chosen."""
    del runtime
    line.first.faults.set(DOWN_ONCE)
    handle = get_chat_model()
    answers = [await _answering(handle) for _ in range(2)]
    assert answers == ["m-second says: pong", "m-first says: pong"]


async def test_a_pin_that_moved_falls_over_again(runtime: Runtime, line: InLine) -> None:
    """To who is chosen, if that answers by now, before the rest of the list."""
    del runtime
    line.first.faults.set(DOWN_ONCE)
    clone = await get_chat_model().clone()
    await clone.run(PING)
    line.second.faults.set(DOWN)
    assert await _answering(clone) == "m-first says: pong"


async def test_a_policy_breaks_a_pin_that_moved(runtime: Runtime, line: InLine) -> None:
    """It is judged as a pin that never did."""
    line.first.faults.set(DOWN_ONCE)
    clone = await get_chat_model(tlp="GREEN").clone()
    await clone.run(PING)
    lowered = ConnectionRequest(provider=ServingBackend.ANTHROPIC, max_tlp=Tlp.CLEAR)
    await runtime.admin.put_connection("second", lowered, actor="test")
    line.clear()
    with pytest.raises(TlpRefused, match="Start again"):
        await clone.run(PING)
    assert line.asked == {}


@tool
def lookup(host: str) -> StringToolOutput:
    """Look a host up."""
    return StringToolOutput(f"{host} is known")


@pytest.mark.parametrize("when", [0, 1], ids=["at its first call", "after a tool call"])
async def test_an_agents_run_stays_with_who_answered(
    runtime: Runtime, line: InLine, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop of tool calls isn't mixed from two models more than it has to be."""
    del runtime

    def fail_in_time(_question: object) -> str:
        line.first.faults.set(DOWN_ONCE)
        return "pong"

    if when:
        monkeypatch.setattr(line.first, "wording", fail_in_time)
    else:
        line.first.faults.set(DOWN_ONCE)
    await RequirementAgent(llm=get_chat_model(), tools=[lookup]).run("ping")
    assert line.asked["first"] == when + 1
    assert line.asked["second"] >= 2 - when


async def test_a_label_keeps_out_who_may_not_have_it(runtime: Runtime, line: InLine) -> None:
    """A fallback above whose ceiling it is, isn't asked, by the policy in force at that moment."""
    line.first.faults.set(DOWN)
    lowered = ConnectionRequest(provider=ServingBackend.ANTHROPIC, max_tlp=Tlp.CLEAR)
    await runtime.admin.put_connection("second", lowered, actor="test")
    output = await get_chat_model(tlp="GREEN").run(PING)
    assert attempts_of(output) == [("first", "overloaded"), ("third", None)]


async def test_a_runtime_that_closes_meanwhile_does_not_hide_the_failure(
    runtime: Runtime, line: InLine
) -> None:
    """Nobody can be asked any more."""
    gate = threading.Event()
    line.first.faults.set(Fault(refusal=Refusal.SERVER_ERROR, gate=gate))
    calling = asyncio.ensure_future(get_chat_model().run(PING))
    await until(lambda: line.asked == {"first": 1})
    runtime.pool.close()
    gate.set()
    with pytest.raises(ProviderOverloaded):
        await calling
    assert line.asked == {"first": 1}


async def test_fall_overs_are_counted(runtime: Runtime, line: InLine) -> None:
    """By who failed, who was asked, and why."""
    line.first.faults.set(DOWN)
    line.second.faults.set(Fault(reset=True))
    await get_chat_model().run(PING)
    assert runtime.admin.ledger.fall_overs == {
        ("first", "second", "overloaded"): 1,
        ("second", "third", "unreachable"): 1,
    }


async def test_failed_attempts_count_no_tokens(runtime: Runtime, line: InLine) -> None:
    """The answer's are those of who gave it."""
    del runtime
    alone = outcome_of(await get_chat_model().run(PING)).usage
    line.first.faults.set(DOWN)
    usage = outcome_of(await get_chat_model().run(PING)).usage
    assert usage is not None
    assert alone is not None
    assert usage.totals() == alone.totals()


async def test_no_key_stands_in_what_is_told_of_attempts(runtime: Runtime, line: InLine) -> None:
    """Not in the answer's notes, and not in the error's."""
    line.first.faults.set(DOWN)
    output = await get_chat_model().run(PING)
    line.second.faults.set(DOWN)
    line.third.faults.set(DOWN)
    with pytest.raises(ModelCallError) as failure:
        await get_chat_model().run(PING)
    details = repr(output.context) + repr(vars(failure.value))
    keys = [c.credential.api_key for c in runtime.adoption.snapshot.connections.values()]
    assert not any(key.get_secret_value() in details for key in keys if key is not None)
    assert failure.value.__context__ is None


async def test_the_policy_in_force_decides_while_the_first_is_failing(
    runtime: Runtime, line: InLine
) -> None:
    """A label that was allowed when the call began, and isn't any more, goes nowhere."""
    line.first.faults.set(DOWN)
    handle = get_chat_model(tlp="GREEN")
    tightened = policy_request(hosted_max_tlp="CLEAR")
    clone = await handle.clone()
    await runtime.admin.change(edits.set_policy(tightened), actor="test")
    with pytest.raises(TlpRefused):
        await clone.run(PING)
    assert line.asked == {}
