"""Thoughts never reach the answer or a delta; a call that ended in them is made once more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel

from aurorasoc.errors import AnswerCut, EmptyAnswer
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.test_call import make_test_call
from aurorasoc.llm.wire.answers.cut_answers import LEAST_LARGER_LIMIT
from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from tests.component.live import World, handle_on, variable
from tests.examples import settings
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, chat_pieces, claude

PING: Final[list[Any]] = [UserMessage("ping")]
MISTRAL: Final = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    {"type": "text", "text": "pong"},
]
SHAPES: Final[dict[str, list[dict[str, Any]]]] = {
    "reasoning_content": [{"reasoning_content": "hm"}, {"content": "pong"}],
    "reasoning": [{"reasoning": "hm"}, {"content": "pong"}],
    "tags": [{"content": "<th"}, {"content": "ink>hm</thi"}, {"content": "nk>\n\npong"}],
    "Bedrock's tags": [
        {"content": "<reasoning>h</reasoning>"},
        {"content": "<reasoning>m</reasoning>"},
        {"content": "pong"},
    ],
    "Mistral's parts": [{"content": MISTRAL[:1]}, {"content": MISTRAL[1:]}],
}


class Verdict(BaseModel):
    """A structured answer."""

    severity: str


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


def _handle(world: World, folder: Path, provider: str = "openai") -> LiveChatModel:
    """Return a handle as production has one: a test's doesn't ask again."""
    handle = handle_on(settings(folder, **world.variables()), provider)
    model: Any = handle.binding.model
    model.aurora_site = replace(model.aurora_site, asks_again=True)
    return handle


def _whole(shape: list[dict[str, Any]]) -> dict[str, Any]:
    """Join a stream's pieces."""
    message: dict[str, Any] = {}
    for name, value in (item for delta in shape for item in delta.items()):
        message[name] = message[name] + value if name in message else value
    return message


@pytest.mark.parametrize("name", SHAPES)
async def test_thoughts_stay_apart(
    world: World, tmp_path: Path, name: str, *, stream: bool
) -> None:
    """Whatever shape they have."""
    shape = SHAPES[name]
    fault = chat_pieces(*shape) if stream else chat(_whole(shape), "stop", stream=False)
    world.keyed.faults.set(fault)
    deltas: list[str] = []
    run = _handle(world, tmp_path).run(PING, stream=stream)
    answer = await run.on("new_token", lambda data, _: deltas.append(data.value.get_text_content()))
    outcome = outcome_of(answer)
    assert (outcome.text, outcome.thoughts.strip()) == ("pong", "hm")
    assert (answer.get_text_content(), "".join(deltas)) == ("pong", "pong" if stream else "")


async def test_a_model_that_leaves_the_tag_out_is_known_by_then(
    world: World, tmp_path: Path
) -> None:
    """A whole answer teaches it; then nothing reaches a delta before the thoughts end."""
    boot = settings(tmp_path, **world.variables(**{variable("vllm", "MODEL"): "thinks-first"}))
    handle = handle_on(boot, "vllm")
    world.keyed.faults.set(chat({"content": "Let me see.\n</think>\n\npong"}, "stop", stream=False))
    assert (await handle.run(PING)).get_text_content() == "pong"
    pieces = [{"content": piece} for piece in ("Let me", " see.\n</th", "ink>\n\npo", "ng")]
    world.keyed.faults.set(chat_pieces(*pieces))
    deltas: list[str] = []
    run = handle.run(PING, stream=True)
    await run.on("new_token", lambda data, _: deltas.append(data.value.get_text_content()))
    assert [delta for delta in deltas if delta] == ["po", "ng"]


async def test_a_known_model_that_was_cut_in_its_thoughts_has_answered_nothing(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """No tag came, and half of its thoughts would pass for half an answer."""
    handle = _handle(world, tmp_path, "vllm")
    world.keyed.faults.set(chat({"content": "Let me see.\n</think>\n\npong"}, "stop", stream=False))
    await handle.run(PING)
    world.keyed.faults.set(chat({"content": "Let me see, the"}, "length", stream=stream))
    with pytest.raises(EmptyAnswer, match="Allow more tokens"):
        await handle.run(PING, stream=stream)


def _first_in_thoughts(world: World, *, stream: bool, reason: str = "length") -> None:
    """Let one call end in thoughts."""
    fault = chat({"reasoning_content": "hm, hm", "content": ""}, reason, stream=stream)
    world.keyed.faults.set(Fault(status=200, body=fault.body, media_type=fault.media_type, times=1))


async def test_a_call_that_ended_in_thoughts_is_made_again_with_a_larger_limit(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """Once, and the answer is the second one's."""
    _first_in_thoughts(world, stream=stream)
    answer = await _handle(world, tmp_path).run(PING, stream=stream, max_tokens=100)
    limits = [request.body["max_tokens"] for request in world.keyed.requests]
    assert limits == [100, LEAST_LARGER_LIMIT]
    assert (answer.get_text_content(), answer.finish_reason) == ("gpt-4o says: pong", "stop")
    assert outcome_of(answer).usage is None  # the first call was not counted


async def test_a_second_call_in_thoughts_is_empty(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """It says what to do."""
    world.keyed.faults.set(chat({"content": ""}, "length", stream=stream))
    with pytest.raises(EmptyAnswer, match="Allow more tokens"):
        await _handle(world, tmp_path).run(PING, stream=stream, max_tokens=100)
    assert len(world.keyed.requests) == 2


async def test_an_empty_answer_that_was_not_cut_is_no_matter_of_size(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """Nothing is asked again, and no one is told to allow more tokens."""
    world.keyed.faults.set(chat({"content": ""}, "stop", stream=stream))
    with pytest.raises(EmptyAnswer) as caught:
        await _handle(world, tmp_path).run(PING, stream=stream)
    assert "token" not in caught.value.detail
    assert len(world.keyed.requests) == 1


async def test_a_tool_that_the_model_made_up_is_no_answer(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """Nobody would call it, and nothing else was said: chat and agents would answer nothing."""
    message = next(_cut_calls())
    world.keyed.faults.set(chat(message, "tool_calls", stream=stream))
    with pytest.raises(EmptyAnswer):
        await _handle(world, tmp_path).run(PING, stream=stream)


async def test_a_limit_of_the_model_itself_is_not_exceeded(world: World, tmp_path: Path) -> None:
    """What it can answer at most was sent already."""
    world.keyed.faults.set(claude("", "max_tokens", stream=False))
    with pytest.raises(EmptyAnswer):
        await _handle(world, tmp_path, "anthropic").run(PING, max_tokens=128_000)
    assert len(world.keyed.requests) == 1


async def test_a_reachability_test_asks_once(world: World, tmp_path: Path) -> None:
    """It asks for a word; thoughts show that the model is there."""
    _first_in_thoughts(world, stream=False)
    handle = handle_on(settings(tmp_path, **world.variables()), "openai")
    result = await make_test_call(handle.binding)
    assert (result.ok, len(world.keyed.requests)) == (True, 1)


async def test_half_a_text_says_that_it_was_cut(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """Its reader judges it."""
    world.keyed.faults.set(chat({"content": "Isolate the"}, "length", stream=stream))
    answer = await _handle(world, tmp_path).run(PING, stream=stream)
    assert (answer.get_text_content(), outcome_of(answer).finish) == ("Isolate the", Finish.LENGTH)


def _cut_calls() -> Iterator[dict[str, Any]]:
    function = {"name": "lookup", "arguments": "{}"}
    yield {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
    yield {"content": '{"severity": "high"}'}


@pytest.mark.parametrize("message", list(_cut_calls()), ids=["tool call", "JSON"])
async def test_half_of_what_is_of_use_only_as_a_whole_is_an_error(
    world: World, tmp_path: Path, message: dict[str, Any], *, stream: bool
) -> None:
    """It may parse all the same: BeeAI would complete it."""
    world.keyed.faults.set(chat(message, "length", stream=stream))
    options: dict[str, Any] = {"response_format": Verdict} if "content" in message else {}
    with pytest.raises(AnswerCut, match="cut off"):
        await _handle(world, tmp_path).run(PING, stream=stream, **options)
