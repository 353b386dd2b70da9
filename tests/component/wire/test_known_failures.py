"""The services whose addresses are known: which of our errors each of their failures becomes."""

from pathlib import Path
from typing import Final

import pytest

from aurorasoc.errors import ContextTooLong, ModelCallError
from tests.component.wire.known_failures import FAILURES, Failure
from tests.component.wire.known_failures_in_answers import IN_STREAM, IN_WHOLE
from tests.component.wire.test_known_addresses import PING, ROWS, closed, handle_at
from tests.world.known_vendor import KnownVendor

__all__ = ["closed"]  # pytest finds it here

WHOLE: Final = FAILURES | IN_WHOLE
STREAMED: Final = FAILURES | IN_STREAM

pytestmark = pytest.mark.usefixtures("closed")


async def _raised(failure: Failure, folder: Path, *, stream: bool) -> ModelCallError:
    """Call a service once, and return what is raised."""
    row = ROWS[failure.service]
    with KnownVendor(failure.answer) as server, pytest.raises(ModelCallError) as caught:
        await handle_at(server, row, folder).run(PING, stream=stream)
    assert len(server.bodies) == 1
    return caught.value


def _is(failure: Failure, error: ModelCallError) -> bool:
    said = f"{error.detail} {error.category}"
    return error.code == failure.code and failure.holds in said


@pytest.mark.parametrize("name", WHOLE)
async def test_failure_of_a_whole_answer_is_told_apart(tmp_path: Path, name: str) -> None:
    """By status, code or words, whatever the shape."""
    error = await _raised(WHOLE[name], tmp_path, stream=False)
    assert _is(WHOLE[name], error), (error.code, error.detail)


@pytest.mark.parametrize("name", STREAMED)
async def test_failure_of_a_stream_is_told_apart(tmp_path: Path, name: str) -> None:
    """Before it begins, or in the midst of it."""
    error = await _raised(STREAMED[name], tmp_path, stream=True)
    assert _is(STREAMED[name], error), (error.code, error.detail)


async def test_lm_studio_names_its_window(tmp_path: Path) -> None:
    """A prompt can be fitted to it then."""
    error = await _raised(IN_STREAM["LM Studio: a long prompt"], tmp_path, stream=True)
    assert isinstance(error, ContextTooLong)
    assert error.context_window == 30_000
