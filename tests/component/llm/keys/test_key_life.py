"""A key's life: when it was stored, by whom, and when it is due for another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from aurorasoc.core.clock import now_us
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.inventory import ConnectionView
from aurorasoc.llm.keys.doctor import examine
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import API_KEY, OTHER_API_KEY, SEED, settings

ENV: Final = {"AURORA_SECRET_KEY": SEED}
NINETY_DAYS: Final = "7776000"


@pytest.fixture
async def runtime(database_file: Path) -> AsyncIterator[Runtime]:
    """Open a runtime with nothing configured."""
    async with open_runtime(settings(database_file.parent, **ENV)) as opened:
        yield opened


async def _row(runtime: Runtime) -> ConnectionView:
    rows = (await runtime.admin.inventory()).providers
    return next(row for row in rows if row.provider == "deepseek")


async def _set_key(runtime: Runtime, key: str = API_KEY, actor: str = "alice") -> ConnectionView:
    change = key_edits.set_key("deepseek", SecretStr(key))
    row = (await runtime.admin.change(change, actor=actor)).provider
    assert row is not None
    return row


async def test_row_says_when_and_by_whom_the_key_was_set(runtime: Runtime) -> None:
    """The answer to the change says so already."""
    row = await _set_key(runtime)
    assert row.key_set_at is not None
    age = datetime.now(UTC) - datetime.fromisoformat(row.key_set_at)
    assert timedelta() <= age < timedelta(minutes=5)
    assert row.key_set_by == "alice"


@pytest.mark.usefixtures("database_file")
@pytest.mark.parametrize("moved", [{}, {"LLM_DEEPSEEK_BASE_URL": "https://elsewhere.example"}])
async def test_every_process_shows_the_same_life(tmp_path: Path, moved: dict[str, str]) -> None:
    """One that reads the key later does, be it usable at its address or not."""
    async with open_runtime(settings(tmp_path, **ENV)) as first:
        here = await _set_key(first)
    async with open_runtime(settings(tmp_path, **ENV, **moved)) as second:
        there = await _row(second)
    assert (there.key_set_at, there.key_set_by) == (here.key_set_at, here.key_set_by)


async def test_replaced_key_starts_a_new_life(runtime: Runtime) -> None:
    """It has its own moment and its own setter."""
    first = await _set_key(runtime)
    second = await _set_key(runtime, OTHER_API_KEY, actor="bob")
    assert (first.key_set_at or "") < (second.key_set_at or "")
    assert second.key_set_by == "bob"


async def test_same_key_stored_again_keeps_its_age(runtime: Runtime) -> None:
    """Nothing was rotated."""
    first = await _set_key(runtime)
    again = await _set_key(runtime, actor="bob")
    assert (again.key_set_at, again.key_set_by) == (first.key_set_at, "alice")


@pytest.mark.usefixtures("database_file")
async def test_environments_key_has_no_known_age(tmp_path: Path) -> None:
    """Nobody stored it here."""
    async with open_runtime(settings(tmp_path, LLM_DEEPSEEK_API_KEY=API_KEY)) as runtime:
        row = await _row(runtime)
    assert (row.key_set_at, row.key_set_by) == (None, None)


@asynccontextmanager
async def _aged(tmp_path: Path, age: timedelta, **variables: str) -> AsyncIterator[Runtime]:
    """Open a runtime whose key was stored some time ago."""
    async with open_runtime(settings(tmp_path, **ENV)) as first:
        await _set_key(first)
        set_us = now_us() - age // timedelta(microseconds=1)
        async with first.database.transaction() as session:
            await session.execute(update(CredentialRow).values(set_us=set_us))
    async with open_runtime(settings(tmp_path, **ENV, **variables)) as runtime:
        yield runtime


@pytest.mark.usefixtures("database_file")
@pytest.mark.parametrize(
    ("days", "variables", "codes"),
    [
        (91, {"LLM_KEY_MAX_AGE": NINETY_DAYS}, ["key_old"]),
        (89, {"LLM_KEY_MAX_AGE": NINETY_DAYS}, []),
        (9_000, {}, []),
    ],
    ids=["older", "younger", "no limit"],
)
async def test_old_key_is_a_warning(
    tmp_path: Path, days: int, variables: dict[str, str], codes: list[str]
) -> None:
    """The provider stays ready: rotation must not wait for an outage, nor cause one."""
    async with _aged(tmp_path, timedelta(days=days), **variables) as runtime:
        row = await _row(runtime)
    assert [warning.code for warning in row.warnings] == codes
    assert (row.ready, row.problems) == (True, ())


@pytest.mark.usefixtures("database_file")
async def test_old_key_of_the_active_provider_is_a_warning_there_too(tmp_path: Path) -> None:
    """Where an admin looks first."""
    variables = {"LLM_BACKEND": "deepseek", "LLM_KEY_MAX_AGE": NINETY_DAYS}
    async with _aged(tmp_path, timedelta(days=91), **variables) as runtime:
        active = (await runtime.admin.inventory()).active
    assert [warning.code for warning in active.warnings] == ["key_old"]


@pytest.mark.usefixtures("database_file")
async def test_doctor_says_what_to_do_about_an_old_key(tmp_path: Path) -> None:
    """There is something to do, though the key works and its seed is current."""
    async with _aged(tmp_path, timedelta(days=91)) as runtime:
        findings = await examine(
            runtime.database, runtime.keyring, runtime.adoption, float(NINETY_DAYS)
        )
    (finding,) = (one for one in findings if one.kind == "credential")
    assert (finding.healthy, finding.state) == (False, "usable, from database, too old")
    assert "91 days ago" in finding.advice


@pytest.mark.usefixtures("database_file")
async def test_environments_key_is_never_too_old(tmp_path: Path) -> None:
    """Its age isn't known."""
    variables = {"LLM_DEEPSEEK_API_KEY": API_KEY, "LLM_KEY_MAX_AGE": "0.000001"}
    async with open_runtime(settings(tmp_path, **variables)) as runtime:
        assert (await _row(runtime)).warnings == ()
