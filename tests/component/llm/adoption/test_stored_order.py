"""Stored fallbacks: read as they were written; a list that no change can have written isn't."""

from typing import Final

import pytest

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.core.database.engine import Database
from aurorasoc.llm.adoption.rows import load_stored, save_config
from aurorasoc.llm.adoption.stored import StoredConfig, is_possible
from tests.world.databases import ON_BOTH, Stored

pytestmark = ON_BOTH

_LONGEST: Final = tuple(f"{letter}{'x' * 31}" for letter in "abcdefgh")
"""Eight names of 32 characters: all that the column has to hold."""

_ASSIGNED: Final = Assignments(
    {"specialist": Assignment("vllm", "m", ("eu", "ollama"))},
    {"threat-intel": Assignment("vllm"), "malware-analyst": Assignment("vllm", None, ())},
)


@pytest.mark.parametrize("names", [None, (), ("ollama",), _LONGEST])
async def test_what_was_written_is_read(stored: Stored, names: tuple[str, ...] | None) -> None:
    """No list, an empty one, and the longest, which differ."""
    written = StoredConfig(1, fallbacks=names, on_refusal="local", assignments=_ASSIGNED)
    assert await _reread(stored, written) == written


@pytest.mark.parametrize("text", ["a,a", "auto", "A", "../x", ",", "a,b,c,d,e,f,g,h,i"])
async def test_impossible_fallbacks_are_none(stored: Stored, text: str) -> None:
    """The environment's don't come back in their place: somebody set others."""
    await _reread(stored, StoredConfig(1))
    await stored.executed(f"UPDATE llm_runtime_config SET fallbacks = '{text}'")  # noqa: S608 - our own values
    assert (await _read(stored)).fallbacks == ()


async def test_impossible_fallbacks_of_an_assignment_leave_none_assigned(stored: Stored) -> None:
    """As with any other text that no change can have written."""
    names = tuple(f"n{number}" for number in range(9))
    many = Assignments({"specialist": Assignment("vllm", None, names)})
    assert (await _reread(stored, StoredConfig(1, assignments=many))).assignments == Assignments()
    assert not is_possible(StoredConfig(assignments=many))


async def _reread(stored: Stored, config: StoredConfig) -> StoredConfig:
    database = Database(stored.url)
    try:
        async with database.transaction() as session:
            await save_config(session, config)
    finally:
        await database.close()
    return await _read(stored)


async def _read(stored: Stored) -> StoredConfig:
    database = Database(stored.url)
    try:
        async with database.reading() as session:
            return (await load_stored(session)).config
    finally:
        await database.close()
