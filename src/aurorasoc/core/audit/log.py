"""The user audit log: a hash chain that others can check (docs/decisions/023).

Each entry is one line of canonical JSON, stored exactly as hashed: `prev` is the SHA-256 of the
line before it, `hash` that of the line itself, `mac` an HMAC-SHA256 over the line under a random
audit key. Anyone can check the links; checking authenticity needs the seed.

`append` runs in the caller's session: the entry commits with the change, or neither does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sqlalchemy import Select, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import after_commit
from aurorasoc.core.database.tables import AuditKeyRow, AuditRow
from aurorasoc.core.keyring import Keyring, SeedChanged
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuditUnavailable, AuroraError

GENESIS: Final = "0" * 64
"""The `prev` of the first entry."""

_KEY_BYTES: Final = 32
_KEYS_TRIED: Final = 100
_CANT_WRITE: Final = "The audit entry can't be written, so nothing was changed. Try again later."

log = get_logger("aurorasoc.audit")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What happened.

    Attributes:
        actor: The principal's subject.
        action: What was done.
        target: What it was done to: a provider, a path.
        details: Plain JSON values; never a key.
    """

    actor: str
    action: Action
    target: str
    details: Mapping[str, Any] = field(default_factory=dict)


class AuditSink(Protocol):
    """Where audit entries go. A host platform may bring its own."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write an entry in the caller's transaction.

        Raises:
            AuditUnavailable: It can't be written; the caller's change must not happen either.
        """


class GuardedSink:
    """A host platform's own log, whose every failure becomes `AuditUnavailable`.

    Args:
        sink: The host's log.
    """

    def __init__(self, sink: AuditSink) -> None:
        self.sink = sink

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Write an entry.

        Raises:
            AuditUnavailable: The host's log failed.
        """
        try:
            await self.sink.append(session, event)
        except AuroraError:
            raise
        except Exception:  # noqa: BLE001 - a host's log may raise anything
            failed = True
        else:
            failed = False
        if failed:
            raise AuditUnavailable(_CANT_WRITE)


class AuditLog:
    """Our own hash-chained log.

    Args:
        keyring: Wraps the audit key.
        clock: Supplies the time of an entry.
    """

    def __init__(self, keyring: Keyring, clock: Clock = now_us) -> None:
        self._keyring = keyring
        self._clock = clock
        self._key: tuple[str, bytes] | None = None

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Append an entry, and write a log line once it is committed.

        The session must come from `Database.transaction()`: its lock keeps the head unchanged.
        """
        try:
            row = await self._append(session, event)
        except SQLAlchemyError:
            row = None
        if row is None:
            raise AuditUnavailable(_CANT_WRITE)
        after_commit(session, lambda: _log_anchor(row))

    async def _append(self, session: AsyncSession, event: AuditEvent) -> AuditRow:
        key_id, key = await self._audit_key(session)
        newest = select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)
        head = (await session.execute(newest)).first()
        seq, prev = (head.seq + 1, head.hash) if head else (1, GENESIS)
        row = _row(seq, self._clock(), prev, event)
        row.mac, row.mac_key_id = mac_of(key, row.entry), key_id
        session.add(row)
        await session.flush()
        return row

    async def _audit_key(self, session: AsyncSession) -> tuple[str, bytes]:
        """Return the audit key of the last entry here, while it is stored.

        Without one, return the newest that a seed here unwraps; create one if there is none.
        Only the first entry of a process tries keys: the database's running role can add any
        number of rows that nobody can unwrap.
        """
        if self._key is None or not await _is_stored(session, self._key[0]):
            self._key = await self._newest_key(session) or self._make_key(session)
        return self._key

    async def _newest_key(self, session: AsyncSession) -> tuple[str, bytes] | None:
        newest = select(AuditKeyRow).order_by(AuditKeyRow.created_us.desc()).limit(_KEYS_TRIED)
        for stored in await session.scalars(newest):
            with suppress(SeedChanged):
                return stored.key_id, self._keyring.open("audit-key", stored.token)
        return None

    def _make_key(self, session: AsyncSession) -> tuple[str, bytes]:
        key_id, key = secrets.token_hex(8), secrets.token_bytes(_KEY_BYTES)
        token = self._keyring.seal("audit-key", key).token
        session.add(AuditKeyRow(key_id=key_id, token=token, created_us=self._clock()))
        return key_id, key


async def _is_stored(session: AsyncSession, key_id: str) -> bool:
    """Tell whether a key is there: it isn't if the transaction that made it was rolled back."""
    query = select(AuditKeyRow.key_id).where(AuditKeyRow.key_id == key_id)
    return await session.scalar(query) is not None


def used_audit_keys() -> Select[AuditKeyRow]:
    """Return the query for keys that an entry names; a row that none names proves nothing."""
    return select(AuditKeyRow).where(AuditKeyRow.key_id.in_(select(AuditRow.mac_key_id)))


def hash_of(entry: str) -> str:
    """Return the SHA-256 of the stored line as 64 hex characters."""
    return hashlib.sha256(entry.encode("ascii")).hexdigest()


def mac_of(key: bytes, entry: str) -> str:
    """Return the HMAC-SHA256 of the stored line as 64 hex characters."""
    return hmac.new(key, entry.encode("ascii"), "sha256").hexdigest()


def column_form(text: str, length: int) -> str:
    """Return a text as a filter column stores it: no NUL, no lone surrogate, truncated."""
    plain = (
        text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
    return plain[:length]


ACTOR_LENGTH: Final = 255
ACTION_LENGTH: Final = 64
TARGET_LENGTH: Final = 255


def _row(seq: int, at_us: int, prev: str, event: AuditEvent) -> AuditRow:
    fields = _as_read_back(
        {
            "seq": seq,
            "at_us": at_us,
            "prev": prev,
            "actor": event.actor,
            "action": event.action,
            "target": event.target,
            "details": dict(event.details),
        }
    )
    entry = canonical(fields)
    return AuditRow(
        seq=seq,
        at_us=at_us,
        actor=column_form(fields["actor"], ACTOR_LENGTH),
        action=column_form(fields["action"], ACTION_LENGTH),
        target=column_form(fields["target"], TARGET_LENGTH),
        entry=entry,
        hash=hash_of(entry),
    )


def _as_read_back(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a verifier will parse: JSON joins surrogate pairs and turns keys into texts."""
    parsed: dict[str, Any] = json.loads(json.dumps(fields))
    return parsed


def _log_anchor(row: AuditRow) -> None:
    """Write one log line per entry: an anchor outside the database (`audit verify --anchor`)."""
    log.info("audit", seq=row.seq, hash=row.hash, mac=row.mac, entry=json.loads(row.entry))
