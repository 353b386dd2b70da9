"""Rotation: whatever an older seed sealed is sealed under the first, and nothing else changes."""

import json
from typing import Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.audit.log import AuditEvent, AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditRow, CredentialRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.errors import AuditUnavailable
from aurorasoc.llm.keys.rotation import Rotation, SealedItem, survey
from tests.examples import JWT_SECRET, OTHER_SEED, SEED
from tests.world.canaries import SOAK
from tests.world.databases import ON_BOTH, Stored
from tests.world.sealed import (
    ORIGINS,
    but_for_rotation,
    install,
    opened,
    ring,
)

OLD: Final = SEED
NEW: Final = OTHER_SEED
WITH_NAMED: Final = {**ORIGINS, "eu-azure": "https://soc.openai.azure.com:443"}
LOST: Final = "seed-that-nobody-has-any-more-0123456789"

pytestmark = ON_BOTH


class Failing(AuditLog):
    """An audit log that fails at one of its entries."""

    def __init__(self, keyring: Keyring, entry: int) -> None:
        """Fail at the entry of this number, counted from 1."""
        super().__init__(keyring)
        self._left = entry

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write an entry, or fail."""
        self._left -= 1
        if self._left == 0:
            detail = "not now"
            raise AuditUnavailable(detail)
        await super().append(session, event)


class Deleting(AuditLog):
    """An audit log whose first entry finds another admin deleting a key."""

    def __init__(self, keyring: Keyring, provider: str) -> None:
        """Delete the row of this provider."""
        super().__init__(keyring)
        self._provider: str | None = provider

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write an entry; the first deletes the row as well."""
        await super().append(session, event)
        if self._provider is not None:
            await session.execute(
                delete(CredentialRow).where(CredentialRow.connection == self._provider)
            )
            self._provider = None


def rotation(database: Database, *seeds: str, log: AuditLog | None = None) -> Rotation:
    """Make a rotation to the first of these seeds."""
    keyring = ring(*seeds)
    return Rotation(database, keyring, log or AuditLog(keyring), "alice")


async def standings(database: Database, *seeds: str) -> dict[str, str]:
    """Tell how each sealed row stands."""
    return {item.name: item.standing for item in await survey(database, ring(*seeds))}


async def test_every_row_is_sealed_under_the_first_seed(database: Database, stored: Stored) -> None:
    """After a rotation the new seed alone opens every credential and every audit key."""
    keys = await install(database, OLD, providers=[*WITH_NAMED], origins=WITH_NAMED, audit_keys=3)
    done = await rotation(database, NEW, OLD).rotate()
    assert len(done) == len(keys) + 4
    assert opened(stored, NEW) == keys
    assert set((await standings(database, NEW)).values()) == {"current"}


async def test_old_seed_opens_nothing_afterwards(database: Database, stored: Stored) -> None:
    """What was re-sealed is no longer sealed under the old seed."""
    await install(database, OLD)
    await rotation(database, NEW, OLD).rotate()
    assert opened(stored, OLD) == {}
    assert set((await standings(database, OLD)).values()) == {"unreadable"}


async def test_history_stays_verifiable_without_the_old_seed(
    database: Database, stored: Stored
) -> None:
    """The chain, its old entries and the rotation's own verify under the new seed alone."""
    keys = await install(database, OLD)
    await rotation(database, NEW, OLD).rotate()
    verdict = await verify_database(stored.url, {}, [SecretStr(NEW)])
    assert (verdict.fault, verdict.authenticity) == (None, "verified")
    assert verdict.entries == 2 * len(keys) + 1


async def test_nothing_else_changes(database: Database, stored: Stored) -> None:
    """Origins, who set a key and when, its last four, revisions and old entries stay."""
    await install(database, OLD, audit_keys=2)
    before = but_for_rotation(stored)
    await rotation(database, NEW, OLD).rotate()
    assert but_for_rotation(stored) == before


async def test_each_row_has_its_entry(database: Database) -> None:
    """The log says who sealed which row under which seed's id, and holds no key."""
    keys = await install(database, OLD)
    before = await _entries(database)
    done = await rotation(database, NEW, OLD).rotate()
    added = (await _entries(database))[len(before) :]
    actions = {"credential": Action.KEY_RESEALED, "audit key": Action.AUDIT_KEY_REWRAPPED}
    assert [(e["actor"], e["action"], e["target"]) for e in added] == [
        ("alice", actions[item.kind], item.name) for item in done
    ]
    assert {json.dumps(e["details"]) for e in added} == {
        json.dumps({"key_id": ring(NEW).key_ids[0]})
    }
    assert not any(key in json.dumps(added) for key in keys.values())


async def test_second_rotation_does_nothing(database: Database, stored: Stored) -> None:
    """What is sealed under the first seed already is left byte for byte."""
    await install(database, OLD)
    await rotation(database, NEW, OLD).rotate()
    before = stored.dump()
    assert await rotation(database, NEW, OLD).rotate() == []
    assert stored.dump() == before


async def test_survey_changes_nothing(database: Database, stored: Stored) -> None:
    """Looking is not touching."""
    await install(database, OLD)
    before = stored.dump()
    assert set((await standings(database, NEW, OLD)).values()) == {"older seed"}
    assert stored.dump() == before


async def test_first_secret_key_takes_over_from_the_session_secret(
    database: Database, stored: Stored
) -> None:
    """AURORA_SECRET_KEY, set for the first time, costs no key that JWT_SECRET_KEY sealed."""
    keys = await install(database, JWT_SECRET)
    await rotation(database, NEW, JWT_SECRET).rotate()
    assert opened(stored, NEW, "another-session-secret-0123456789abcdef") == keys


async def test_rows_that_no_seed_opens_are_left_byte_for_byte(
    database: Database, stored: Stored
) -> None:
    """They are named as unreadable, the others are rotated, and giving the seed back heals them."""
    lost = await install(database, LOST, providers=["openai", "vllm"])
    kept = await install(database, OLD, providers=["deepseek"])
    before = _tokens(stored)
    done = await rotation(database, NEW, OLD).rotate()
    after = _tokens(stored)
    assert {item.name for item in done if item.kind == "credential"} == {"deepseek"}
    assert {name: after[name] for name in lost} == {name: before[name] for name in lost}
    assert opened(stored, NEW) == kept
    await rotation(database, NEW, LOST).rotate()
    assert opened(stored, NEW) == lost | kept


@pytest.mark.parametrize(
    "altered",
    [{"origin": "https://evil.example:443"}, {"connection": "gemini"}, {"key_id": "0" * 16}],
)
async def test_altered_rows_are_not_healed(
    database: Database, stored: Stored, altered: dict[str, str]
) -> None:
    """A row that was moved or altered is not sealed anew: that would make it genuine."""
    await install(database, OLD, providers=["openai"])
    async with database.transaction() as session:
        await session.execute(update(CredentialRow).values(**altered))
    before = _tokens(stored)
    done = await rotation(database, NEW, OLD).rotate()
    assert [item.kind for item in done] == ["audit key"]
    assert _tokens(stored) == before
    assert opened(stored, NEW, OLD) == {}


@pytest.mark.parametrize("entry", range(1, 8))
async def test_row_whose_entry_fails_is_not_changed(
    database: Database, stored: Stored, entry: int
) -> None:
    """Re-sealing and its audit entry commit together; the next run goes on with the rest."""
    keys = await install(database, OLD, audit_keys=1)
    log = Failing(ring(NEW, OLD), entry)
    with pytest.raises(AuditUnavailable):
        await rotation(database, NEW, OLD, log=log).rotate()
    left = [s for s in (await standings(database, NEW, OLD)).values() if s == "older seed"]
    assert len(left) == len(keys) + 2 - (entry - 1)
    assert opened(stored, NEW, OLD) == keys
    await rotation(database, NEW, OLD).rotate()
    assert opened(stored, NEW) == keys


async def test_key_that_is_deleted_meanwhile_is_passed_over(
    database: Database, stored: Stored
) -> None:
    """A row that is gone when its turn comes leaves no entry and stops nothing."""
    keys = await install(database, OLD)
    log = Deleting(ring(NEW, OLD), "openai")
    done = await rotation(database, NEW, OLD, log=log).rotate()
    assert "openai" not in {item.name for item in done}
    assert opened(stored, NEW) == {p: k for p, k in keys.items() if p != "openai"}
    assert "openai" not in {
        e["target"] for e in await _entries(database) if e["action"] == Action.KEY_RESEALED
    }


async def test_two_rotations_at_once_do_each_row_once(database: Database, stored: Stored) -> None:
    """Whoever comes second finds the row done: it is neither sealed nor told twice."""
    keys = await install(database, OLD)
    first, second = rotation(database, NEW, OLD), rotation(database, NEW, OLD)
    todo = await survey(database, ring(NEW, OLD))
    done = [[await one._rotate(item) for one in (first, second)] for item in todo]
    assert done == [[True, False]] * len(todo)
    assert opened(stored, NEW) == keys


@pytest.mark.soak
@hypothesis_settings(
    max_examples=60 if SOAK else 5, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([OLD, NEW, LOST, JWT_SECRET]), min_size=5, max_size=5))
async def test_any_mixture_of_seeds_ends_under_the_first(
    database: Database, stored: Stored, seeds: list[str]
) -> None:
    """Whatever sealed which row: what can be opened is current afterwards, and none is lost."""
    async with database.transaction() as session:
        await session.execute(delete(CredentialRow))
        await session.execute(delete(AuditRow))
    keys: dict[str, str] = {}
    for provider, seed in zip(ORIGINS, seeds, strict=True):
        made = await install(database, seed, providers=[provider])
        keys |= made if seed != LOST else {}
        async with database.transaction() as session:
            await session.execute(delete(AuditRow))  # the next installation begins its own log
    await rotation(database, NEW, OLD, JWT_SECRET).rotate()
    assert opened(stored, NEW) == keys


async def test_items_name_rows_and_hold_no_key(database: Database) -> None:
    """What a survey gives can be printed."""
    keys = await install(database, OLD)
    items = await survey(database, ring(NEW, OLD))
    assert SealedItem("credential", "openai", "older seed") in items
    assert not any(key in repr(items) for key in keys.values())


async def _entries(database: Database) -> list[dict[str, object]]:
    async with database.reading() as session:
        rows = await session.scalars(select(AuditRow.entry).order_by(AuditRow.seq))
        return [json.loads(text) for text in rows]


def _tokens(stored: Stored) -> dict[str, object]:
    names = stored.columns("llm_provider_credentials")
    at, token = names.index("provider"), names.index("token")
    return {row[at]: row[token] for row in stored.dump()["llm_provider_credentials"]}
