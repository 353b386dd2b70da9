"""Honest audit logs of any length, written in bulk: as `audit.append` would have written them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path
from typing import Final

import psycopg

from aurorasoc.config.settings import Settings
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import GENESIS, AuditEvent, hash_of, mac_of
from aurorasoc.core.audit.verify import Link
from aurorasoc.core.canonical import canonical
from aurorasoc.core.database.tables import AuditKeyRow, AuditRow
from aurorasoc.core.keyring import Keyring
from tests.world.databases import Stored

KEY_ID: Final = "0123456789abcdef"

_FIRST_US: Final = 1_800_000_000_000_000
_ACTORS: Final = tuple(f"analyst-{n}@soc.example" for n in range(40))
_ACTIONS: Final = (Action.CONFIG_CHANGED, Action.KEY_SET, Action.TEST_FINISHED)


def event(number: int) -> AuditEvent:
    """Return one of many different events, of the size that changes have."""
    details = {
        "base_url": "https://gateway.soc.example/v1",
        "changed": True,
        "model": f"deepseek-v4-{number % 7}",
        "operation_id": f"{number:032x}",
        "revision": number,
    }
    return AuditEvent(_ACTORS[number % 40], _ACTIONS[number % 3], "deepseek", details)


def honest_chain(length: int, key: bytes) -> Iterator[Link]:
    """Yield entries from the first, each behind the one before it."""
    prev = GENESIS
    for seq in range(1, length + 1):
        what, at_us = event(seq), _FIRST_US + seq * 1_000_000
        entry = canonical(
            {
                "seq": seq,
                "at_us": at_us,
                "prev": prev,
                "actor": what.actor,
                "action": what.action,
                "target": what.target,
                "details": what.details,
            }
        )
        prev = hash_of(entry)
        mac = mac_of(key, entry)
        yield Link(seq, at_us, what.actor, what.action, what.target, entry, prev, mac, KEY_ID)


def fill(settings: Settings, length: int) -> None:
    """Write a log of this length, and its wrapped audit key, into an empty database."""
    key = secrets.token_bytes(32)
    token = Keyring(settings.security.seeds).seal("audit-key", key).token
    Stored(settings.database_url).execute(
        f"INSERT INTO {AuditKeyRow.__tablename__} (key_id, token, created_us)"  # noqa: S608 - our own names
        f" VALUES ('{KEY_ID}', '{token}', {_FIRST_US})"
    )
    _copy(settings.database_url, (astuple(link) for link in honest_chain(length, key)))


def _copy(url: str, rows: Iterator[tuple[object, ...]]) -> None:
    columns = ", ".join(field.name for field in fields(Link))
    if url.startswith("sqlite"):
        marks = ", ".join("?" for _ in fields(Link))
        insert = f"INSERT INTO {AuditRow.__tablename__} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
        with closing(sqlite3.connect(sqlite_file(url))) as file, file:
            file.executemany(insert, rows)
        return
    copy = f"COPY {AuditRow.__tablename__} ({columns}) FROM STDIN".encode()
    with psycopg.connect(url) as connection, connection.cursor().copy(copy) as copied:
        for row in rows:
            copied.write_row(row)


def sqlite_file(url: str) -> Path:
    """Return the file of a SQLite database's address."""
    return Path(url.removeprefix("sqlite:///"))
