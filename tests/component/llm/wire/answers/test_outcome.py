"""Of what a vendor sends, only what was asked for makes the outcome."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.llm.wire.answers.outcome import Finish, outcome_of
from tests.component.live import World, handle_on
from tests.examples import settings
from tests.world.vendor_bodies import streamed, whole

PING: Final[list[Any]] = [UserMessage("ping")]


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


def _choice(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"index": index, "message": said, "delta": said, "finish_reason": reason}


def _candidate(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"index": index, "content": content} | ({"finishReason": reason} if reason else {})


_SEVERAL: Final[dict[str, tuple[str, Any]]] = {
    "openai": ("choices", _choice),
    "gemini": ("candidates", _candidate),
}
_LENGTH: Final = {"openai": "length", "gemini": "MAX_TOKENS"}
_STOP: Final = {"openai": "stop", "gemini": "STOP"}


@pytest.mark.parametrize("provider", _SEVERAL)
async def test_of_several_answers_number_0_alone_counts(
    world: World, tmp_path: Path, provider: str, *, stream: bool
) -> None:
    """Nobody asked for the others; text of two would be neither's, and so would its end."""
    name, part = _SEVERAL[provider]
    other = part(1, "other", _LENGTH[provider])
    if stream:
        one = [[other], [part(0, "po")], [part(1, "wise"), part(0, "ng", _STOP[provider])], [other]]
        fault = streamed(*({"id": "1", name: parts} for parts in one), done=provider == "openai")
    else:
        fault = whole({"id": "1", "created": 1, name: [other, part(0, "pong", _STOP[provider])]})
    world.keyed.faults.set(fault)
    answer = await handle_on(settings(tmp_path, **world.variables()), provider).run(
        PING, stream=stream
    )
    outcome = outcome_of(answer)
    assert (outcome.text, outcome.finish) == ("pong", Finish.STOP)
    assert answer.get_text_content() == "pong"
