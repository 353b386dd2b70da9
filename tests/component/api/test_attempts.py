"""Chat says who really answered, who was asked before, and nothing of an answer that broke."""

import json
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc.api.metrics import render
from aurorasoc.api.problems import problem_of
from aurorasoc.api.routers import chat
from aurorasoc.core.access.principal import Principal
from aurorasoc.errors import ProviderOverloaded
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.examples import patient_request
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "runtime", "servers"]  # pytest finds them here

DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
CUT: Final = Fault(cut_after=3)
ALICE: Final = Principal.of("alice")
Events = list[tuple[str, dict[str, Any]]]


async def _ask(runtime: Runtime, **options: Any) -> Any:  # noqa: ANN401 - a whole answer or a stream
    asked = [chat.MessageView(role="user", content="ping")]
    return await chat.converse(
        chat.ChatBody(messages=asked, **options), ALICE, runtime, patient_request()
    )


async def _whole(runtime: Runtime, **options: bool) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((await _ask(runtime, **options)).body)
    return answer


async def _streamed(runtime: Runtime, *, checked: bool = False) -> Events:
    response = await _ask(runtime, stream=True, checked=checked)
    text = "".join([str(part) async for part in response.body_iterator])
    lines = [part.split("\n") for part in text.strip().split("\n\n")]
    return [(a.removeprefix("event: "), json.loads(b.removeprefix("data: "))) for a, b in lines]


def _who(shown: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(one["connection"], one["model"], one["code"]) for one in shown["attempts"]]


FELL_OVER: Final = [("first", "m-first", "overloaded"), ("second", "m-second", None)]


async def test_an_answer_names_who_gave_it_and_who_was_asked_before(
    runtime: Runtime, line: InLine
) -> None:
    """Connection, provider and model are those of the one that answered."""
    line.first.faults.set(DOWN)
    answer = await _whole(runtime)
    assert _who(answer) == FELL_OVER
    assert (answer["connection"], answer["provider"]) == ("second", "anthropic")
    assert (answer["model"], answer["message"]["content"]) == ("m-second", "m-second says: pong")
    assert all(one["seconds"] >= 0 for one in answer["attempts"])


async def test_an_answer_of_the_first_names_no_attempts(runtime: Runtime) -> None:
    """Whole or streamed, as before there were any."""
    assert "attempts" not in await _whole(runtime)
    assert "attempts" not in (await _streamed(runtime))[-1][1]


async def test_a_streams_last_event_says_the_same(runtime: Runtime, line: InLine) -> None:
    """With the pieces of the one that answered before it."""
    line.first.faults.set(DOWN)
    *deltas, (last, done) = await _streamed(runtime)
    assert (last, _who(done), done["connection"]) == ("done", FELL_OVER, "second")
    assert "".join(data["content"] for _, data in deltas) == "m-second says: pong"


async def test_a_problem_names_who_was_asked(runtime: Runtime, line: InLine) -> None:
    """With the first one's code: nobody hides what the chosen connection said."""
    for server in line.all.values():
        server.faults.set(DOWN)
    with pytest.raises(ProviderOverloaded) as failure:
        await _whole(runtime)
    problem = problem_of(failure.value)
    assert [one["connection"] for one in problem["attempts"]] == ["first", "second", "third"]
    ((last, shown),) = await _streamed(runtime)
    assert (last, shown["code"]) == ("error", "overloaded")
    assert _who(shown) == _who(problem)


async def test_a_problem_of_one_names_no_attempts(runtime: Runtime, line: InLine) -> None:
    """It is that connection's, as its detail says."""
    line.first.faults.set(Fault(refusal=Refusal.UNKNOWN_MODEL))
    ((last, shown),) = await _streamed(runtime)
    assert (last, "attempts" in shown) == ("error", False)


async def test_a_stream_that_breaks_after_a_piece_ends_in_an_error(
    runtime: Runtime, line: InLine
) -> None:
    """Never in another model's words."""
    line.first.faults.set(CUT)
    *deltas, (last, shown) = await _streamed(runtime)
    assert deltas
    assert (last, shown["code"], line.asked) == ("error", "unreachable", {"first": 1})


async def test_a_checked_stream_that_breaks_is_answered_by_the_next(
    runtime: Runtime, line: InLine
) -> None:
    """Nothing of the broken answer is shown."""
    line.first.faults.set(CUT)
    *deltas, (last, done) = await _streamed(runtime, checked=True)
    assert last == "done"
    assert [one["code"] for one in done["attempts"]] == ["unreachable", None]
    assert "".join(data["content"] for _, data in deltas) == "m-second says: pong"
    assert len(deltas) > 1


async def test_a_checked_stream_that_fails_shows_the_error_alone(
    runtime: Runtime, line: InLine
) -> None:
    """Its reader sees a whole answer or none."""
    for server in line.all.values():
        server.faults.set(CUT)
    ((last, shown),) = await _streamed(runtime, checked=True)
    assert (last, shown["code"]) == ("error", "unreachable")


async def test_a_whole_answer_is_checked_anyway(runtime: Runtime) -> None:
    """So `checked` without `stream` asks for nothing more, and is taken."""
    assert (await _whole(runtime, checked=True))["message"]["content"] == "m-first says: pong"


async def test_fall_overs_are_a_metric(runtime: Runtime, line: InLine) -> None:
    """By who failed, who was asked, and why."""
    line.first.faults.set(DOWN)
    await _whole(runtime)
    families = text_string_to_metric_families((await render()).decode())
    samples = {
        tuple(sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "aurorasoc_model_fall_overs_total"
    }
    assert samples == {(("code", "overloaded"), ("from", "first"), ("to", "second")): 1.0}
