"""What one vendor declined is asked of no other, whatever becomes of the local backend."""

from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.errors import Blocked, ProviderOverloaded
from tests.component.in_line import InLine, line, opened, servers
from tests.component.llm.models.test_continuity import attempts_of
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "servers"]  # pytest finds them here

PING: Final[list[Any]] = [UserMessage("ping")]
DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
FILTERED: Final = Fault(
    status=400, body=b'{"error": {"code": "content_filter", "message": "filtered"}}'
)
LOCALLY: Final = {"LLM_ON_REFUSAL": "local", "LLM_LOCAL_BACKEND": "third"}


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_declined_goes_to_no_vendor_though_the_local_one_fails(
    database_file: Path, line: InLine, *, stream: bool
) -> None:
    """That failure is one another could mend; the refusal before it is not."""
    line.first.faults.set(FILTERED)
    line.third.faults.set(DOWN)
    async with opened(database_file.parent, line, LLM_FALLBACKS="second", **LOCALLY):
        with pytest.raises(Blocked, match="at first") as failure:
            await get_chat_model().run(PING, stream=stream)
    assert attempts_of(failure.value) == [("first", "blocked"), ("third", "overloaded")]
    assert line.asked == {"first": 1, "third": 1}


async def test_what_a_stand_in_declined_goes_to_no_other_vendor(
    database_file: Path, line: InLine
) -> None:
    """Nor does it go back to who was busy first."""
    line.first.faults.set(DOWN)
    body = b'{"type": "error", "error": {"type": "x", "code": "content_filter", "message": "no"}}'
    line.second.faults.set(Fault(status=400, body=body))
    line.third.faults.set(DOWN)
    async with opened(database_file.parent, line, LLM_FALLBACKS="second,openai", **LOCALLY):
        with pytest.raises(ProviderOverloaded, match="first") as failure:
            await get_chat_model().run(PING)
    assert attempts_of(failure.value) == [
        ("first", "overloaded"),
        ("second", "blocked"),
        ("third", "overloaded"),
    ]


async def test_a_run_that_went_on_locally_after_a_refusal_goes_to_no_other_vendor(
    database_file: Path, line: InLine
) -> None:
    """Its next step holds what was declined."""
    line.first.faults.set(FILTERED)
    async with opened(database_file.parent, line, LLM_FALLBACKS="second", **LOCALLY):
        run = await get_chat_model().clone()
        output = await run.run(PING)
        assert attempts_of(output) == [("first", "blocked"), ("third", None)]
        line.third.faults.set(DOWN)
        with pytest.raises(ProviderOverloaded, match=r"^third "):
            await run.run(PING)
    assert line.asked == {"first": 1, "third": 2}
