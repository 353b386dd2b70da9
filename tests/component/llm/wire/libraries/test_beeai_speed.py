"""What a model says holds the event loop for no longer than reading it takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import (
    AssistantMessage,
    MessageReasoningContent,
    MessageTextContent,
    MessageToolCallContent,
    UserMessage,
)
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.backend.utils import parse_broken_json
from beeai_framework.emitter import Emitter, EventTrace
from beeai_framework.emitter.errors import EmitterError

from aurorasoc.errors import BadResponse
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.llm.wire.libraries.beeai_speed import MAX_REPAIRED_PARTS
from tests.component.live import handle_on, variable
from tests.examples import settings
from tests.world.scripted import ScriptedUpstream
from tests.world.vendor.http1 import chunk

HEAD: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
async def _libraries(libraries: None) -> AsyncIterator[None]:
    """Load them, with what replaces their slow steps."""
    del libraries
    yield
    await adapter.close()


def _piece(*parts: Any) -> ChatModelOutput:
    return ChatModelOutput(output=[AssistantMessage(list(parts), id="m")])


async def _run(folder: Path, answer: str, *, stream: bool) -> tuple[str, list[str]]:
    """Return a scripted answer's text, and its pieces."""
    pieces: list[str] = []
    with ScriptedUpstream(lambda: [HEAD, chunk(answer.encode()), chunk(b"")]) as upstream:
        variables = {
            variable("vllm", "BASE_URL"): f"{upstream.url}/v1",
            variable("vllm", "MODEL"): "any",
            "LLM_MAX_RETRIES": "0",
        }
        run = handle_on(settings(folder, **variables), "vllm").run(
            [UserMessage("ping")], stream=stream
        )
        run.on("new_token", lambda data, _: pieces.append(data.value.get_text_content()))
        return (await run).get_text_content(), [piece for piece in pieces if piece]


def _streamed(*deltas: dict[str, Any]) -> str:
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in [*choices, last]]
    return "".join([*events, "data: [DONE]\n\n"])


@pytest.mark.parametrize("piece", ['{"a" ', '["', "{'"])
def test_json_that_is_broken_and_deep_is_not_repaired(piece: str) -> None:
    """4,000 tokens of it would hold the loop for ten seconds, as an alert may ask a model to."""
    with pytest.raises(ValueError, match="line 1"):
        parse_broken_json(piece * (MAX_REPAIRED_PARTS + 1))


def test_json_that_is_nearly_right_is_repaired() -> None:
    """As BeeAI's agents want it."""
    assert parse_broken_json('```json\n{"a": [1, 2,]') == {"a": [1, 2]}


def test_valid_json_of_any_depth_is_read() -> None:
    """Nothing of it needs a repair."""
    rows: list[dict[str, list[str]]] = [{"a": []}] * MAX_REPAIRED_PARTS
    assert parse_broken_json(json.dumps(rows)) == rows


def test_pieces_of_text_are_joined_before_they_are_merged() -> None:
    """Merging compares each piece with all before it: 4,000 took eight seconds."""
    call = MessageToolCallContent(id="c", tool_name="t", args="{}")
    pieces = [
        *(_piece(MessageReasoningContent(text=text)) for text in "why"),
        *(_piece(MessageTextContent(text=text)) for text in "because"),
        _piece(call),
        _piece(MessageTextContent(text="so")),
    ]
    (message,) = ChatModelOutput.from_chunks(pieces).output
    assert [(part.type, getattr(part, "text", "")) for part in message.content] == [
        ("reasoning", "why"),
        ("text", "because"),
        ("tool-call", ""),
        ("text", "so"),
    ]
    assert [piece.get_text_content() for piece in pieces[3:5]] == ["b", "e"]


async def test_a_path_of_windows_holds_nothing_back(tmp_path: Path) -> None:
    """BeeAI takes its backslash for half an escape, and held the rest of the stream for it."""
    said = ["C:\\", "Users\\", "x", " is a path"]
    answer = _streamed(*({"content": text} for text in said))
    assert await _run(tmp_path, answer, stream=True) == ("".join(said), said)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_of_many_tool_calls_is_refused(
    tmp_path: Path,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Each is compared with all others."""
    from aurorasoc.llm.wire.answers.usable import MAX_TOOL_CALLS  # noqa: PLC0415 - imports litellm

    function = {"name": "t", "arguments": "{}"}
    calls = [
        {"index": n, "id": f"c{n}", "type": "function", "function": function}
        for n in range(MAX_TOOL_CALLS + 1)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    streamed = _streamed(*({"tool_calls": [call]} for call in calls))
    with pytest.raises(BadResponse, match="more than an answer may hold"):
        await _run(tmp_path, streamed if stream else json.dumps(whole), stream=stream)


async def test_an_event_that_nobody_hears_starts_no_task() -> None:
    """An event passes emitters that nobody listens to without a task for each."""
    started: list[object] = []

    def note(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:  # noqa: ANN401 - a coroutine
        started.append(work)
        return asyncio.Task(work, loop=loop)

    deepest = Emitter(namespace=["model"]).child(namespace=["run"]).child(namespace=["deep"])
    loop = asyncio.get_running_loop()
    loop.set_task_factory(note)
    try:
        await deepest.emit("start", "data")
    finally:
        loop.set_task_factory(None)
    assert not started


@pytest.mark.parametrize("height", [0, 1, 2])
async def test_an_event_reaches_whoever_listens_above(height: int) -> None:
    """Wherever a listener is, it hears the event once, with its path and its data."""
    top = Emitter(namespace=["model"])
    middle = top.child(namespace=["run"])
    emitters = [middle.child(namespace=["deep"]), middle, top]
    heard: list[tuple[Any, str]] = []
    emitters[height].on("*.*", lambda data, event: heard.append((data, event.path)))
    await emitters[0].emit("start", "data")
    assert heard == [("data", "deep.run.model.start")]


async def test_an_event_is_heard_at_each_height_and_from_its_own_run_only() -> None:
    """Listeners on several emitters all hear it; one for another run doesn't."""
    top = Emitter(namespace=["model"])
    runs = [top.child(trace=EventTrace(id=name, run_id=name)) for name in ("one", "two")]
    heard: list[str] = []
    top.on("start", lambda *_: heard.append("model"))
    for name, run in zip(("one", "two"), runs, strict=True):
        run.on("start", lambda *_, name=name: heard.append(name))
    await runs[0].emit("start", None)
    assert sorted(heard) == ["model", "one"]


async def test_a_listener_that_fails_above_fails_the_event() -> None:
    """Its failure reaches whoever emitted the event."""

    def fail(*_: object) -> None:
        raise RuntimeError

    top = Emitter(namespace=["model"])
    top.on("*.*", fail)
    with pytest.raises(EmitterError):
        await top.child(namespace=["run"]).emit("start", None)
