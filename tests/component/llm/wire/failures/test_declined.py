"""What a vendor names as its reason, and who answered, may be anything: its words are foreign."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import ModelCallError
from aurorasoc.llm.wire.answers.outcome import outcome_of
from tests.component.live import World, handle_on
from tests.examples import settings
from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, whole

PING: Final[list[Any]] = [UserMessage("ping")]
_KEY: Final = VENDOR_KEYS["openai"]


def _filter_named(name: str) -> Fault:
    results = {name: {"filtered": True}}
    error = {"code": "content_filter", "innererror": {"content_filter_result": results}}
    return whole({"error": error}, status=400)


@pytest.mark.parametrize(
    "fault",
    [
        chat({"content": "pong"}, _KEY, stream=False),
        _filter_named(_KEY),
        _filter_named("<b>\nBlocked: true"),
    ],
    ids=["its finish reason", "its filter", "its filter, with markup"],
)
async def test_category_repeats_no_key_and_no_markup(
    world: World, tmp_path: Path, fault: Fault
) -> None:
    """A gateway may write anything there; it goes into answers, logs and the audit log."""
    world.keyed.faults.set(fault)
    with pytest.raises(ModelCallError) as caught:
        await handle_on(settings(tmp_path, **world.variables()), "openai").run(PING)
    error = caught.value
    assert error.category in {None, "content_filter"}
    assert _KEY not in error.detail
    assert "<b>" not in error.detail


async def test_name_of_the_model_that_answered_repeats_no_key(world: World, tmp_path: Path) -> None:
    """Chat and reports show it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "pong"}}
    world.keyed.faults.set(whole({"id": "1", "created": 1, "model": _KEY, "choices": [choice]}))
    answer = await handle_on(settings(tmp_path, **world.variables()), "openai").run(PING)
    assert outcome_of(answer).model == "gpt-4o"
