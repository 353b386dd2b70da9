"""How an answer travels: its pieces on the way, one artifact in the end, and ends that are none."""

import asyncio
import threading
from typing import Any, Final

import httpx
import pytest
from a2a.server.tasks import TaskUpdater
from a2a.types import TaskArtifactUpdateEvent

from aurorasoc.a2a import pieces
from aurorasoc.a2a.executor import PerMessage
from aurorasoc.a2a.pieces import AnswerArtifact
from aurorasoc.core.access.acting import Acting
from aurorasoc.llm.wire.call_record import ABANDONED, CallRecord
from aurorasoc.runtime import Runtime
from tests.component.a2a.test_callers import callers
from tests.component.a2a.test_server import served
from tests.component.a2a_tongues import (
    ONE,
    TONGUES,
    Tongue,
    content_of,
    documents,
    said_in,
    state_of,
)
from tests.component.live import World, until
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat

ANSWER: Final = "deepseek-v4-flash says: pong"

in_every_tongue = pytest.mark.parametrize("spoken", TONGUES)


async def asked(
    http: httpx.AsyncClient,
    tongue: Tongue,
    *parts: Any,
    operation: str = "send",
    **params: Any,
) -> list[Any]:
    """Ask the agent, and return the documents of its answer."""
    message = tongue.message(*(parts or ("ping",)))
    request = tongue.request(operation, {"message": message} | params)
    return documents(await http.request(**request, timeout=60))


@in_every_tongue
async def test_stream_is_the_task_its_pieces_and_its_end(runtime: Runtime, spoken: str) -> None:
    """The last piece is marked; all but the first are to be added to it."""
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        events = await asked(http, tongue, operation="stream")
        shown = documents(
            await http.request(**tongue.request("get", {"id": content_of(events[0])["id"]}))
        )[0]
    updates = [content_of(event) for event in events if state_of(event) is None]
    states = [state_of(event) for event in events if state_of(event) is not None]
    assert states == ["submitted", "working", "completed"]
    assert "".join(said_in(update) for update in updates) == ANSWER
    assert [update.get("append", False) for update in updates] == [False] + [True] * (
        len(updates) - 1
    )
    assert [update.get("lastChunk", False) for update in updates][-1] is True
    assert said_in(shown) == ANSWER
    assert len(content_of(shown)["artifacts"][0]["parts"]) == 1


@in_every_tongue
async def test_whole_answer_is_one_artifact_of_one_part(runtime: Runtime, spoken: str) -> None:
    """And no message of the status repeats it."""
    async with served(runtime, "threat-hunter") as http:
        (answer,) = await asked(http, TONGUES[spoken])
    task = content_of(answer)
    (artifact,) = task["artifacts"]
    assert [part["text"] for part in artifact["parts"]] == [ANSWER]
    assert "message" not in task["status"]


async def test_whole_answer_is_not_asked_for_in_pieces(runtime: Runtime, world: World) -> None:
    """Only a whole answer can be asked anew of a fallback."""
    async with served(runtime, "threat-hunter") as http:
        await asked(http, ONE)
        await asked(http, ONE, operation="stream")
    assert [bool(e.body.get("stream")) for e in world.keyed.requests] == [False, True]


async def test_first_piece_does_not_wait_for_the_last(
    runtime: Runtime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader sees it while the model is still at it."""
    monkeypatch.setattr(pieces, "GATHERED_SECONDS", 0.01)
    world.keyed.faults.set(Fault(event_delay=0.1))
    async with served(runtime, "threat-hunter") as http:
        events = await asked(http, ONE, operation="stream")
    updates = [said_in(event) for event in events if state_of(event) is None]
    assert len(updates) > 2
    assert updates[0] in {"deepseek-v4-flash", "deepseek-v4-flash "}


class _Queue:
    """Notes what is published."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def enqueue_event(self, event: Any) -> None:  # noqa: ANN401 - one of the SDK's events
        """Note an event."""
        self.events.append(event)


async def test_pieces_are_gathered_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand tokens are no thousand updates, and nothing of them is lost."""
    monkeypatch.setattr(pieces, "GATHERED_SECONDS", 60.0)
    queue = _Queue()
    answer = AnswerArtifact(TaskUpdater(queue, "t", "c"))  # type: ignore[arg-type]
    async with answer.sent_on_the_way():
        answer.add("0 ")
        await until(lambda: bool(queue.events))
        for number in range(1, 1_000):
            answer.add(f"{number} ")
            await asyncio.sleep(0)
    await answer.finish()
    assert all(isinstance(event, TaskArtifactUpdateEvent) for event in queue.events)
    texts = [event.artifact.parts[0].text for event in queue.events]
    assert texts == ["0 ", " ".join(map(str, range(1, 1_000))) + " "]
    assert [event.last_chunk for event in queue.events] == [False, True]


async def test_long_answer_comes_in_fewer_and_larger_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader who doesn't fetch them leaves a copy of the task with each."""
    monkeypatch.setattr(pieces, "GATHERED_SECONDS", 0.001)
    monkeypatch.setattr(pieces, "SLOWER_AFTER", 1)
    queue = _Queue()
    answer = AnswerArtifact(TaskUpdater(queue, "t", "c"))  # type: ignore[arg-type]
    async with answer.sent_on_the_way():
        for _ in range(300):
            answer.add("x")
            await asyncio.sleep(0.001)
    await answer.finish()
    assert len(queue.events) < 40
    assert "".join(e.artifact.parts[0].text for e in queue.events) == "x" * 300


@in_every_tongue
@pytest.mark.parametrize("operation", ["send", "stream"])
async def test_cut_answer_fails_its_task(
    runtime: Runtime, world: World, operation: str, spoken: str
) -> None:
    """Nothing of it is marked as the last piece."""
    cut = chat({"content": "Isolate the"}, "length", stream=operation == "stream")
    world.keyed.faults.set(cut)
    async with served(runtime, "threat-hunter") as http:
        events = await asked(http, TONGUES[spoken], operation=operation)
    assert state_of(events[-1]) == "failed"
    assert "cut off" in str(content_of(events[-1])["status"]["message"])
    assert not any(content_of(event).get("lastChunk") for event in events)


@in_every_tongue
async def test_stream_that_breaks_off_fails_its_task(
    runtime: Runtime, world: World, spoken: str
) -> None:
    """In our words, and the conversation goes on without it."""
    world.keyed.faults.set(Fault(cut_after=2, times=1))
    async with served(runtime, "threat-hunter") as http:
        events = await asked(http, TONGUES[spoken], operation="stream")
        again = await asked(http, TONGUES[spoken], operation="stream")
    assert state_of(events[-1]) == "failed"
    assert "deepseek" in str(content_of(events[-1])["status"]["message"])
    assert state_of(again[-1]) == "completed"


async def test_unexpected_failure_names_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither its text nor a traceback is in answer or log."""

    def broken(*_: object) -> None:
        message = "CANARY-4c1f"
        raise KeyError(message)

    monkeypatch.setattr(PerMessage, "_agent", broken)
    async with served(runtime, "threat-hunter") as http:
        (answer,) = await asked(http, ONE)
    written = capfd.readouterr()
    assert state_of(answer) == "failed"
    assert "See the agent's log" in str(answer)
    assert "CANARY" not in str(answer) + written.out + written.err
    assert "Traceback" not in written.out + written.err


@in_every_tongue
async def test_cancelling_ends_the_call_under_way(
    runtime: Runtime, world: World, spoken: str
) -> None:
    """The vendor's answer isn't waited for; the task stays cancelled, once."""
    records: list[CallRecord] = []
    runtime.pool.records.follow(records.append)
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    async with callers(runtime, TONGUES[spoken]) as (alice, _):
        task_id = content_of(await alice.send(at_once=True))["id"]
        await until(lambda: bool(world.keyed.requests))
        cancelled = await alice.call("cancel", id=task_id)
        await until(lambda: bool(records))
        twice = await alice.call("cancel", id=task_id)
        again = await alice.call("get", id=task_id)
        gate.set()
    assert [state_of(cancelled), state_of(again)] == ["canceled"] * 2
    assert [record.code for record in records] == [ABANDONED]
    assert "error" in twice


async def test_calls_are_counted_for_whoever_asked(runtime: Runtime) -> None:
    """By the subject of the token; where nobody signs in, for nobody."""
    records: list[CallRecord] = []
    runtime.pool.records.follow(records.append)
    async with callers(runtime) as (alice, bob):
        await alice.send()
        await bob.send(operation="stream")
    async with served(runtime, "threat-hunter") as http:
        await asked(http, ONE)
    assert [record.acting for record in records] == [Acting("alice"), Acting("bob"), None]
    assert {record.asker.agent for record in records} == {"threat-hunter"}


@in_every_tongue
async def test_data_reaches_the_model_as_it_was_sent(
    runtime: Runtime, world: World, spoken: str
) -> None:
    """Ports stay whole numbers, and long numbers keep their last digits."""
    deep: Any = {"event_id": 18_446_744_073_709_551_615, "port": 443, "score": 0.1}
    for _ in range(40):
        deep = {"in": deep}
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        (answer,) = await asked(http, tongue, "Judge this.", tongue.data(deep))
    sent = str(world.keyed.requests[-1].body["messages"][-1])
    assert state_of(answer) == "completed"
    assert '"event_id": 18446744073709551615, "port": 443, "score": 0.1' in sent


@in_every_tongue
async def test_conversation_goes_on_under_its_context(
    runtime: Runtime, world: World, spoken: str
) -> None:
    """Whole or in pieces, and nothing of a failed task is in it."""
    async with callers(runtime, TONGUES[spoken]) as (alice, _):
        first = await alice.send("first", operation="stream")
        context = content_of(first)["contextId"]
        with world.keyed.faults.held(Fault(status=500)):
            await alice.send("second", contextId=context)
        await alice.send("third", contextId=context)
    roles = [message["role"] for message in world.keyed.requests[-1].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
