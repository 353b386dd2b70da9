"""The audit log: an entry commits with its change or not at all, and survives new seeds."""

import json
import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import cast

import pytest
from sqlalchemy import delete, select, text

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditLog
from aurorasoc.core.audit.verify import Link, verify
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditKeyRow, AuditRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.errors import AuditUnavailable, ConfigurationError
from tests.examples import OTHER_SEED, SEED, keyring
from tests.world.databases import ON_BOTH

EVENT = AuditEvent("alice", Action.KEY_SET, "deepseek", {"revision": 1})
ODD = AuditEvent(
    "\ud83d\ude00\0é" * 100,
    cast("Action", "x" * 300),
    "\ud800\u202e",
    {"\ud83d\ude00": float("inf")},
)

pytestmark = ON_BOTH


class Unwilling(Exception):
    """Raised to leave a transaction."""


async def _append(database: Database, log: AuditLog, *events: AuditEvent) -> None:
    async with database.transaction() as session:
        for event in events or (EVENT,):
            await log.append(session, event)


async def _append_and_leave(database: Database, log: AuditLog) -> None:
    async with database.transaction() as session:
        await log.append(session, EVENT)
        raise Unwilling


async def _links(database: Database) -> list[Link]:
    async with database.reading() as session:
        rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq))
        return [Link(**{f.name: getattr(row, f.name) for f in fields(Link)}) for row in rows]


async def _keys(database: Database, ring: Keyring) -> dict[str, bytes]:
    async with database.reading() as session:
        rows = await session.scalars(select(AuditKeyRow))
        return {row.key_id: ring.open("audit-key", row.token) for row in rows}


async def test_entry_says_who_did_what_to_what(database: Database) -> None:
    """The stored text is the canonical JSON that was hashed."""
    await _append(database, AuditLog(keyring(), clock=lambda: 42))
    (link,) = await _links(database)
    assert json.loads(link.entry) == {
        "seq": 1,
        "at_us": 42,
        "prev": "0" * 64,
        "actor": "alice",
        "action": "llm.key.set",
        "target": "deepseek",
        "details": {"revision": 1},
    }


async def test_entries_of_many_transactions_are_one_chain(database: Database) -> None:
    """Each follows the head that it found, by one log or another."""
    for _ in range(5):
        await _append(database, AuditLog(keyring()), EVENT, EVENT)
    verdict = verify(await _links(database), keys=await _keys(database, keyring()))
    assert (verdict.entries, verdict.fault, verdict.authenticity) == (10, None, "verified")


async def test_odd_texts_come_back_as_they_were_hashed(database: Database) -> None:
    """Surrogates, NUL and long texts pass through a real database."""
    await _append(database, AuditLog(keyring(), clock=lambda: -(2**63)), *[ODD] * 20)
    verdict = verify(await _links(database), keys=await _keys(database, keyring()))
    assert (verdict.entries, verdict.fault) == (20, None)


async def test_entry_of_a_rolled_back_transaction_leaves_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither entry, audit key nor log line."""
    caplog.set_level(logging.INFO, "aurorasoc")
    with pytest.raises(Unwilling):
        await _append_and_leave(database, AuditLog(keyring()))
    assert await _links(database) == []
    assert await _keys(database, keyring()) == {}
    assert caplog.messages == []


async def test_chain_goes_on_after_a_rollback(database: Database) -> None:
    """The number is taken anew, the key made in the lost transaction is forgotten."""
    log = AuditLog(keyring())
    with pytest.raises(Unwilling):
        await _append_and_leave(database, log)
    await _append(database, log)
    verdict = verify(await _links(database), keys=await _keys(database, keyring()))
    assert (verdict.entries, verdict.fault) == (1, None)


async def test_log_line_is_written_after_the_commit_only(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an anchor: it must not name an entry that isn't there."""
    caplog.set_level(logging.INFO, "aurorasoc")
    async with database.transaction() as session:
        await AuditLog(keyring()).append(session, EVENT)
        assert caplog.messages == []
    (line,) = (json.loads(message) for message in caplog.messages)
    (link,) = await _links(database)
    assert (line["event"], line["seq"], line["hash"]) == ("audit", 1, link.hash)
    assert line["mac"] == link.mac
    assert line["entry"] == json.loads(link.entry)


async def test_entry_that_cannot_be_written_says_so(database: Database) -> None:
    """The caller's change must not happen either."""
    async with database.transaction() as session:
        await session.execute(text("DROP TABLE user_audit_log"))
    with pytest.raises(AuditUnavailable):
        await _append(database, AuditLog(keyring()))


async def test_log_without_seed_writes_nothing(database: Database) -> None:
    """An audit key can't be kept unsealed."""
    with pytest.raises(ConfigurationError, match="AURORA_SECRET_KEY"):
        await _append(database, AuditLog(Keyring([])))
    assert await _links(database) == []


async def test_audit_key_is_stored_wrapped(database: Database) -> None:
    """The table alone authenticates nothing."""
    await _append(database, AuditLog(keyring()))
    async with database.reading() as session:
        (row,) = await session.scalars(select(AuditKeyRow))
    (key,) = (await _keys(database, keyring())).values()
    assert len(key) == 32
    assert key.hex() not in row.token


async def _key_ids(database: Database) -> Sequence[str]:
    return [link.mac_key_id for link in await _links(database)]


async def test_audit_key_outlives_a_rotation_of_seeds(database: Database) -> None:
    """With the old seed among the previous ones the same key goes on, and history verifies."""
    await _append(database, AuditLog(keyring(SEED)))
    rotated = keyring(OTHER_SEED, SEED)
    await _append(database, AuditLog(rotated))
    first, second = await _key_ids(database)
    assert first == second
    assert verify(await _links(database), keys=await _keys(database, rotated)).fault is None


async def test_lost_seed_brings_a_new_audit_key(database: Database) -> None:
    """The log goes on; what the lost key authenticated is not taken for authentic."""
    await _append(database, AuditLog(keyring(SEED)))
    await _append(database, AuditLog(keyring(OTHER_SEED)))
    first, second = await _key_ids(database)
    assert first != second
    async with database.transaction() as session:
        await session.execute(delete(AuditKeyRow).where(AuditKeyRow.key_id == first))
    keys = await _keys(database, keyring(OTHER_SEED))
    fault = verify(await _links(database), keys=keys).fault
    assert fault is not None
    assert first in fault
    assert verify(await _links(database)).fault is None
