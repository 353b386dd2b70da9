"""A handle's structured answer: the object that fits the class, wherever it stands in the text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel

from aurorasoc.errors import BadResponse
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.wire.libraries import adapter
from tests.component.live import KEYS, handle_on, variable
from tests.examples import settings
from tests.world.picky import PickyServer

PING: Final[list[Any]] = [UserMessage("ping")]
ANSWER: Final = '{"severity": "low"}'
OTHER: Final = '{"severity": "high"}'


class Verdict(BaseModel):
    """A structured answer, which may stand on others."""

    severity: str
    because_of: "list[Verdict]" = []


@pytest.fixture(autouse=True)
async def _closed(libraries: None) -> AsyncIterator[None]:
    """Close the connections that a test's loop kept open."""
    del libraries
    yield
    await adapter.close()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


def handle_to(server: PickyServer, folder: Path) -> LiveChatModel:
    """Return a handle on a vLLM that this server plays."""
    variables = {
        variable("vllm", "BASE_URL"): f"{server.url}/v1",
        variable("vllm", "API_KEY"): KEYS["vllm"],
    }
    return handle_on(settings(folder, **variables), "vllm")


FITTING: Final = {
    "alone": ANSWER,
    "in a fence": f"```json\n{ANSWER}\n```",
    "behind braces": f'I answer {{"like": "this"}}, {{step by step}}.\n\n{ANSWER}',
    "before braces": f"{ANSWER} So {{that}} is it.",
    "said twice": f"First {ANSWER}, {{then}} {ANSWER}",
    "never closed": ANSWER.removesuffix("}"),
}


@pytest.mark.parametrize("name", FITTING)
async def test_object_that_fits_is_found(tmp_path: Path, name: str, *, stream: bool) -> None:
    """Among words and braces, too."""
    with PickyServer(says=FITTING[name]) as server:
        run = handle_to(server, tmp_path).run(PING, response_format=Verdict, stream=stream)
        assert (await run).output_structured == Verdict(severity="low")


async def test_what_stands_within_the_object_is_part_of_it(tmp_path: Path) -> None:
    """A class may hold objects of its own kind."""
    text = f'So {{it}} is: {{"severity": "low", "because_of": [{OTHER}]}}, {{I think}}.'
    expected = Verdict(severity="low", because_of=[Verdict(severity="high")])
    with PickyServer(says=text) as server:
        answer = await handle_to(server, tmp_path).run(PING, response_format=Verdict)
    assert answer.output_structured == expected


@pytest.mark.parametrize("text", [f"{ANSWER} {{or}} {OTHER}", "{x} and {y}", "{x} " * 300])
async def test_none_or_two_that_differ_are_no_answer(
    tmp_path: Path, text: str, *, stream: bool
) -> None:
    """One of two may be quoted from an alert."""
    with PickyServer(says=text) as server, pytest.raises(BadResponse):
        await handle_to(server, tmp_path).run(PING, response_format=Verdict, stream=stream)


async def test_text_is_left_to_a_caller_who_looks_for_the_json(
    tmp_path: Path, *, stream: bool
) -> None:
    """As investigations do: nothing is parsed before them, so nothing fails."""
    text = "{x} " * 300 + ANSWER
    with PickyServer(says=text) as server:
        answer = await handle_to(server, tmp_path).run(
            PING, response_format=Verdict, validate_response_format=False, stream=stream
        )
    assert (answer.get_text_content(), answer.output_structured) == (text, None)
