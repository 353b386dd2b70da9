"""Thoughts never reach the answer or a delta; a call that ended in them is made once more."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel

from aurorasoc.errors import AnswerCut, EmptyAnswer
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.test_call import make_test_call
from tests.component.live import World, handle_on, in_production, variable
from tests.examples import settings
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, chat_pieces, claude

PING: Final[list[Any]] = [UserMessage("ping")]


class Verdict(BaseModel):
    """A structured answer."""

    severity: str


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


def _handle(world: World, folder: Path, provider: str = "openai") -> LiveChatModel:
    return in_production(handle_on(settings(folder, **world.variables()), provider))


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


async def test_a_second_call_in_thoughts_is_empty(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """It says what to do."""
    world.keyed.faults.set(chat({"content": ""}, "length", stream=stream))
    with pytest.raises(EmptyAnswer, match="Allow more tokens"):
        await _handle(world, tmp_path).run(PING, stream=stream, max_tokens=100)
    assert len(world.keyed.requests) == 2


async def test_a_tool_that_the_model_made_up_is_no_answer(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """Nobody would call it, and nothing else was said: chat and agents would answer nothing."""
    function = {"name": "lookup", "arguments": "{}"}
    call = {"id": "c1", "type": "function", "function": function}
    world.keyed.faults.set(chat({"tool_calls": [call]}, "tool_calls", stream=stream))
    with pytest.raises(EmptyAnswer):
        await _handle(world, tmp_path).run(PING, stream=stream)


async def test_a_limit_of_the_model_itself_is_not_exceeded(world: World, tmp_path: Path) -> None:
    """What it can answer at most was sent already."""
    world.keyed.faults.set(claude([], "max_tokens", stream=False))
    with pytest.raises(EmptyAnswer):
        await _handle(world, tmp_path, "anthropic").run(PING, max_tokens=128_000)
    assert len(world.keyed.requests) == 1


async def test_a_reachability_test_asks_once(world: World, tmp_path: Path) -> None:
    """It asks for a word; thoughts show that the model is there."""
    _first_in_thoughts(world, stream=False)
    handle = handle_on(settings(tmp_path, **world.variables()), "openai")
    result = await make_test_call(handle.binding)
    assert (result.ok, len(world.keyed.requests)) == (True, 1)


async def test_half_of_a_json_document_is_an_error(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """It may parse all the same: BeeAI would complete it."""
    world.keyed.faults.set(chat({"content": '{"severity": "high"}'}, "length", stream=stream))
    with pytest.raises(AnswerCut, match="cut off"):
        await _handle(world, tmp_path).run(PING, stream=stream, response_format=Verdict)
