"""Each way in which an answer ends, in its vendor's own words, and what callers are told of it."""

import json
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.tools import StringToolOutput, tool

from aurorasoc.agents.factory import AgentFactory
from aurorasoc.config.settings import load_settings
from aurorasoc.errors import DECLINED, AnswerCut, ModelCallError
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.answers.cut_answers import LEAST_LARGER_LIMIT
from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from aurorasoc.runtime import Runtime
from tests.component.live import handle_on, in_production, variable
from tests.component.wire.conftest import Wire
from tests.component.wire.endings.kinds import (
    LIMIT,
    PARTIAL,
    Answered,
    Case,
    Ending,
    Failed,
    Form,
)
from tests.component.wire.endings.table import CELLS, NEVER, PLACES, RESPONSES_MODEL, Place
from tests.component.wire.table import EVERY
from tests.examples import config_request
from tests.world.vendor import Fault

T = TypeVar("T")
PING: Final[list[Any]] = [UserMessage("ping")]
COUNTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
OF_TOOLS: Final = {Ending.TOOL_CALL, Ending.CUT_TOOL_CALL, Ending.UNREADABLE_TOOL_CALL}


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


@pytest.fixture
def wire(wire: Wire) -> Iterator[Wire]:
    """Return the six; OpenAI also knows a model of its Responses format."""
    wire.hosted.models["openai"].append(RESPONSES_MODEL)
    yield wire
    wire.hosted.models["openai"].remove(RESPONSES_MODEL)


def reply(case: Case, form: Form) -> Fault:
    """Return what comes over the wire; a call that ended in thoughts is answered when repeated."""
    once = case.ending is Ending.THOUGHTS_ONLY
    return replace(case.replies[form], times=1) if once else case.replies[form]


def answered(output: ChatModelOutput) -> Answered:
    """Return what an answer's outcome says."""
    outcome = outcome_of(output)
    calls = tuple((call.name, call.arguments) for call in outcome.tool_calls)
    return Answered(
        outcome.text, outcome.finish, outcome.thoughts, outcome.usage, calls, outcome.model
    )


@pytest.mark.parametrize("name", CELLS)
async def test_each_ending_is_known(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The typed outcome, the error's code, and the requests that were made: no guess anywhere.

    Who declined isn't asked again, though retries are allowed. No error repeats half an answer.
    """
    where, form, case = CELLS[name]
    place = PLACES[where]
    set_environment(monkeypatch, tmp_path, place, case.expected)
    wire.server(place.provider).faults.set(reply(case, form))
    ledger = TrafficLedger()
    handle = in_production(handle_on(load_settings(), place.provider, ledger))
    result, deltas = await result_of_call(handle, case, form)
    expected = of_model(case.expected, place.model)
    if isinstance(result, ModelCallError):
        assert Failed(type(result), result.category) == expected
        assert {code for _, code in ledger.counts} == {result.code}
        require_plain(result)
    else:
        assert answered(result) == expected
        require_same_in_beeai(result)
        assert deltas == (result.get_text_content() if form is Form.STREAMED else "")
    again = case.ending is Ending.THOUGHTS_ONLY
    requests = wire.server(place.provider).requests
    limits = [limit_of(place.provider, request.body) for request in requests]
    assert limits == ([LIMIT, LEAST_LARGER_LIMIT] if again else [LIMIT])


def set_environment(
    monkeypatch: pytest.MonkeyPatch, folder: Path, place: Place, expected: Answered | Failed
) -> None:
    """Configure the model, and retries, which only a failure that may pass would use."""
    may_pass = isinstance(expected, Failed) and expected.leaf.retryable
    monkeypatch.setenv("LLM_MAX_RETRIES", "0" if may_pass else "2")
    monkeypatch.setenv("AURORA_STATE_DIR", str(folder))
    monkeypatch.setenv(variable(place.provider, "MODEL"), place.model)


async def result_of_call(
    handle: LiveChatModel, case: Case, form: Form
) -> tuple[ChatModelOutput | ModelCallError, str]:
    """Call a model, and return what comes of it, and the text that was streamed."""
    deltas: list[str] = []
    options: dict[str, Any] = {"tools": [lookup], "tool_choice": "auto"}
    offered = options if case.ending in OF_TOOLS else {}
    run = handle.run(PING, stream=form is Form.STREAMED, max_tokens=LIMIT, **offered)
    run.on("new_token", lambda data, _: deltas.append(data.value.get_text_content()))
    return await result_of(run), "".join(deltas)


def of_model(expected: Answered | Failed, model: str) -> Answered | Failed:
    """Return what is expected where this model is asked."""
    return expected.by(model) if isinstance(expected, Answered) else expected


async def result_of(run: Awaitable[T]) -> T | ModelCallError:
    """Return the answer, or the error."""
    try:
        return await run
    except ModelCallError as error:
        return error


def require_plain(error: ModelCallError) -> None:
    """Check that the detail names the category, repeats no half answer, and blames no size."""
    assert error.category is None or error.category in error.detail
    assert PARTIAL not in error.detail
    assert isinstance(error, AnswerCut) or "token" not in error.detail


def require_same_in_beeai(output: ChatModelOutput) -> None:
    """Check BeeAI's own fields: agents read them. They hold zeros where nothing was counted."""
    outcome = outcome_of(output)
    assert (output.get_text_content(), output.finish_reason) == (outcome.text, outcome.finish)
    calls = [(call.id, call.tool_name, call.args) for call in output.get_tool_calls()]
    assert calls == [(call.id, call.name, call.arguments) for call in outcome.tool_calls]
    assert output.usage is not None
    counted = outcome.usage.totals() if outcome.usage else dict.fromkeys(COUNTS, 0)
    assert counted.items() <= output.usage.model_dump().items()


def limit_of(provider: str, body: Any) -> int:  # noqa: ANN401 - the vendor's JSON
    """Return the bound on the answer, wherever the vendor reads it."""
    if provider == "gemini":
        return int(body["generationConfig"]["max_output_tokens"])
    return int(body.get("max_tokens") or body["max_output_tokens"])


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("name", PLACES)
async def test_chat_tells_each_ending(
    wire: Wire, runtime: Runtime, api: httpx.AsyncClient, name: str, form: Form
) -> None:
    """Its answers' fields, and its problems' codes; in a stream, that of the last event."""
    place = PLACES[name]
    await runtime.admin.switch(config_request(place.provider, model=place.model), actor="test")
    actual, expected = {}, {}
    for cell, case in cases_of(name, form).items():
        wire.server(place.provider).faults.set(reply(case, form))
        close_breaker(runtime, place.provider)
        actual[cell] = await chat(api, form)
        expected[cell] = as_chat_says(of_model(case.expected, place.model))
    assert actual == expected


def close_breaker(runtime: Runtime, name: str) -> None:
    """Have a connection asked, though the cases before it are failures in a row."""
    config = runtime.adoption.snapshot.connections[name]
    if (breaker := runtime.admin.ledger.breakers.to(config)) is not None:
        breaker.answered()


def cases_of(name: str, form: Form) -> dict[str, Case]:
    """Return the cases of one place and form; neither chat nor a SOC agent offers tools."""
    return {
        cell: case
        for cell, (where, how, case) in CELLS.items()
        if (where, how) == (name, form) and case.ending not in OF_TOOLS
    }


async def chat(api: httpx.AsyncClient, form: Form) -> dict[str, Any]:
    """Ask, and return what is said of the ending."""
    body = {"messages": [{"role": "user", "content": "ping"}], "stream": form is Form.STREAMED}
    answer = await api.post("/chat", json=body)
    if form is Form.WHOLE:
        said = answer.json()
        text = said.get("message", {}).get("content")
    else:
        lines = answer.text.splitlines()
        events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
        said, text = events[-1], "".join(event.get("content", "") for event in events[:-1])
    if "code" in said:
        return {name: said.get(name) for name in ("status", "code", "category")}
    return {"text": text, **{name: said[name] for name in ("finish_reason", "usage", "model")}}


def as_chat_says(expected: Answered | Failed) -> dict[str, Any]:
    """Return the fields by which chat says so."""
    if isinstance(expected, Failed):
        leaf = expected.leaf
        category = expected.category if issubclass(leaf, DECLINED) else None
        return {"status": leaf.status_code, "code": leaf.code, "category": category}
    usage = expected.usage.totals() if expected.usage else None
    return {
        "text": expected.text,
        "finish_reason": expected.finish.value,
        "usage": usage,
        "model": expected.model,
    }


@pytest.mark.parametrize("name", PLACES)
async def test_an_agent_takes_no_unfinished_answer(wire: Wire, runtime: Runtime, name: str) -> None:
    """It raises the call's error, and one of its own for half a text."""
    place = PLACES[name]
    await runtime.admin.switch(config_request(place.provider, model=place.model), actor="test")
    actual, expected = {}, {}
    for cell, case in cases_of(name, Form.WHOLE).items():
        wire.server(place.provider).faults.set(reply(case, Form.WHOLE))
        agent = await AgentFactory(runtime).build("threat-hunter")
        output = await result_of(agent.run("What now?"))
        actual[cell] = (
            type(output) if isinstance(output, ModelCallError) else output.last_message.text
        )
        expected[cell] = as_an_agent_says(of_model(case.expected, place.model))
    assert actual == expected


def as_an_agent_says(expected: Answered | Failed) -> str | type[ModelCallError]:
    """Return the error that an agent raises, or its text."""
    if isinstance(expected, Failed):
        return expected.leaf
    return AnswerCut if expected.finish is Finish.LENGTH else expected.text


@pytest.mark.parametrize("ending", Ending)
def test_no_ending_is_left_out(ending: Ending) -> None:
    """At each provider, whole and streamed, it is a cell, or a sentence says why it can't be."""
    cells = {
        (name, form)
        for name, place in PLACES.items()
        for row in place.rows
        if row.ending is ending
        for form in (row.replies if isinstance(row, Case) else row.forms)
    }
    assert cells == {(name, form) for name in PLACES for form in Form}
    assert {place.provider for place in PLACES.values()} == set(EVERY)


def test_no_ending_is_both_a_cell_and_impossible() -> None:
    """A reason that a cell contradicts is a wrong one."""
    impossible = {(name, form, never.ending) for name, never in NEVER for form in never.forms}
    assert impossible.isdisjoint((name, form, case.ending) for name, form, case in CELLS.values())
    assert all(never.why.endswith(".") for _, never in NEVER)
