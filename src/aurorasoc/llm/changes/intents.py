"""Change keys in a store outside our transaction: intent, write, activation.

First, commit and audit the intent. Second, write to the store by check-and-set, under the intent's
operation id. Third, in one transaction, pin the version, activate the waiting configuration, and
audit the outcome. A crash in between is settled later from what the store holds
(docs/decisions/030).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import ConnectionName, is_connection_name
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow, KeyIntentRow
from aurorasoc.core.secret_store import Stamp, last4_of
from aurorasoc.core.vault.answers import VaultConflict, VaultProblem, VaultUndecided
from aurorasoc.core.vault.key_version import KeyVersion, key_version_of
from aurorasoc.core.vault.store import VaultSecretStore
from aurorasoc.errors import (
    AuditUnavailable,
    ChangeInProgress,
    DatabaseUnavailable,
    OutcomeUnknown,
)
from aurorasoc.granite.base_url import origin_of_key
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.compose import knows_backend
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.in_words import NO_KEY
from aurorasoc.llm.changes.journal import Journal
from aurorasoc.llm.changes.key_intent import DELETE, SET, Intent, waiting
from aurorasoc.llm.changes.plan import KeyEdit, Plan, SetKey
from aurorasoc.llm.changes.uses import uses_of

CAS_TRIES: Final = 3

_KEY_ALONE: Final = {SET: Action.KEY_SET, DELETE: Action.KEY_DELETED}
"""What happened if the configuration that waited for the key did not come into force."""

MOST_AT_ONCE: Final = 100
"""How many open changes are read at once: more than there are connections."""

MOST_ROWS: Final = 10_000
"""How many rows are looked through for them: no change wrote one under an impossible name."""


@dataclass(frozen=True, slots=True)
class KeyIntents:
    """Begins, carries out and settles key changes in Vault."""

    database: Database
    adoption: Adoption
    store: VaultSecretStore
    journal: Journal

    async def begin(self, session: AsyncSession, event: AuditEvent, planned: Plan) -> Intent | None:
        """Write and audit the intent of a key change; return None for any other change.

        A request that repeats the open intent continues it: same key or same removal, and no
        other configuration to activate.

        Raises:
            ChangeInProgress: Another change of the connection's key isn't settled yet.
        """
        key = planned.edited.key
        new = self._new(event, planned, key) if key else None
        row = await session.get(KeyIntentRow, new.connection if new else event.target)
        if row is not None:
            return _taken_up(Intent.of_row(row), new)
        if new is not None:
            session.add(new.as_row())
            intended = new.event(Action.KEY_INTENDED, kind=new.kind, origin=new.origin)
            await self.journal.audit.append(session, intended)
        return new

    async def carry_out(self, intent: Intent, key: KeyEdit) -> Snapshot:
        """Write to the store, then activate.

        Raises:
            SecretStoreUnavailable: The key was not written; the intent is withdrawn.
            OutcomeUnknown: The key may be written, but is not activated. The intent stays open
                until the outcome is known. If another process withdrew it, a written key is
                adopted like an operator's.
        """
        try:
            key_version = await self._do(intent, key)
        except VaultUndecided:
            refused: VaultProblem | None = None
        except VaultProblem as problem:
            refused = problem
        else:
            return await self._finish(intent, key_version)
        if refused is None or intent.taken_up:
            raise _unknown(intent)
        await self.abandon(intent, refused.trouble)
        raise refused

    async def settle(self, intent: Intent) -> None:
        """Complete or withdraw an intent that a crash or a lost answer left open.

        A removal keeps a key that somebody else wrote after the intent began.

        Raises:
            VaultProblem, VaultUndecided: The outcome is still unknown.
        """
        secret = await self.store.newest(intent.connection)
        key_version = secret.key_version if secret else None
        if intent.kind == DELETE:
            if key_version is None or key_version == key_version_of(
                await self._row(intent.connection)
            ):
                await self.store.remove(intent.connection)
            await self.activate(intent, None)
        elif intent.made(key_version):
            await self.activate(intent, key_version)
        else:
            await self.abandon(intent, "not written")

    async def activate(self, intent: Intent, key_version: KeyVersion | None) -> Stored:
        """Pin the version, activate the waiting configuration, and audit, in one transaction."""
        async with self.database.transaction() as session:
            row = await session.get(KeyIntentRow, intent.connection)
            if row is None or row.operation_id != intent.operation_id:
                settled = await self.adoption.read(session)  # by someone else, meanwhile
            else:
                settled = await self._activate(session, intent, key_version)
                await session.delete(row)
        self.adoption.swap(settled.snapshot)
        return settled

    async def abandon(self, intent: Intent, why: str) -> None:
        """Withdraw an intent that had no effect, and audit that."""
        async with self.database.transaction() as session:
            row = await session.get(KeyIntentRow, intent.connection)
            if row is None or row.operation_id != intent.operation_id:
                return
            await session.delete(row)
            await self.journal.audit.append(session, intent.event(Action.KEY_ABANDONED, why=why))

    def _new(self, event: AuditEvent, planned: Plan, key: KeyEdit) -> Intent:
        sets = key if isinstance(key, SetKey) else None
        return Intent(
            connection=key.connection,
            operation_id=str(uuid.uuid4()),
            kind=SET if sets else DELETE,
            origin=sets.origin if sets else "",
            last4=last4_of(sets.api_key) if sets else None,
            tag=self.adoption.tag_of(sets.api_key) if sets else "",
            activation=waiting(key.connection, planned),
            action=event.action,
            actor=event.actor,
            begun_us=self.journal.clock(),
        )

    async def _do(self, intent: Intent, key: KeyEdit) -> KeyVersion | None:
        """Change the store as intended; return the version to pin."""
        if not isinstance(key, SetKey):
            await self.store.remove(intent.connection)
            return None
        return await self._pinned_already(intent, key) or await self._write(intent, key)

    async def _pinned_already(self, intent: Intent, key: SetKey) -> KeyVersion | None:
        """Return the pinned version if it holds this key: another process has set it."""
        row, present = await self._row(intent.connection), self._present(intent.connection)
        if row is None or present is None or row.last4 != intent.last4:
            return None
        secret = await self.store.newest(intent.connection)
        if secret is None or secret.key_version != key_version_of(row):
            return None
        spec = CATALOG[present.provider]
        bound = origin_of_key(intent.connection, spec, secret.text("origin"))
        same = (secret.api_key, bound) == (key.api_key, key.origin)
        return secret.key_version if same else None

    async def _write(self, intent: Intent, key: SetKey) -> KeyVersion:
        """Write by check-and-set; retry when someone else was faster."""
        stamp = Stamp(intent.operation_id, intent.actor, intent.begun_us)
        for _ in range(CAS_TRIES):
            try:
                stored = await self.store.write(key.connection, key.origin, key.api_key, stamp)
            except VaultConflict:
                continue
            return KeyVersion(stored.vault_version or 0, intent.operation_id)
        detail = "The secret is being changed in Vault at the same time. Try again."
        raise VaultProblem(detail, "unreachable")

    async def _finish(self, intent: Intent, key_version: KeyVersion | None) -> Snapshot:
        """Activate a change that the store has made.

        Raises:
            OutcomeUnknown: The database can't record it now, or someone withdrew the intent.
        """
        try:
            settled = await self.activate(intent, key_version)
        except (DatabaseUnavailable, AuditUnavailable):
            raise _unknown(intent) from None
        row = settled.key_rows.get(intent.connection)
        if _moves(row, key_version):
            raise _unknown(intent)
        return settled.snapshot

    async def _activate(
        self, session: AsyncSession, intent: Intent, key_version: KeyVersion | None
    ) -> Stored:
        before = await self.adoption.read(session, to_change=True)
        row = before.key_rows.get(intent.connection)
        config = intent.activated(before.config) if self._activates(intent, before) else None
        action = _KEY_ALONE[intent.kind] if config is None else intent.action
        config, moves = config or before.config, _moves(row, key_version)
        changed = moves or config != before.config
        config = replace(config, revision=before.next_revision(changed=changed))
        if key_version is None and row is not None:
            await session.delete(row)
        elif key_version is not None and moves:
            await session.merge(intent.credential(key_version, self.journal.clock()))
        event = intent.event(action, vault_version=key_version.version if key_version else None)
        await self.journal.write(
            session, event, config, changed=changed, key=intent.key_record if moves else NO_KEY
        )
        await session.flush()
        return await self.adoption.read(session)

    def _activates(self, intent: Intent, before: Stored) -> bool:
        """Whether what waits for the key can still come into force.

        A connection that was to be removed with its key may be in use meanwhile: it then stays,
        without the key. A rollback is restored over the revision that it was planned on only.
        """
        if not intent.fits(before.config):
            return False
        activated = intent.activated(before.config)
        existing = self.adoption.existing(activated)
        gone = before.snapshot.connections.keys() - existing
        in_use = any(uses_of(before.snapshot, name) for name in gone)
        return knows_backend(activated, existing) and not in_use

    def _present(self, name: ConnectionName) -> ConnectionConfig | None:
        return self.adoption.snapshot.connections.get(name)

    async def _row(self, name: ConnectionName) -> CredentialRow | None:
        async with self.database.reading() as session:
            return await session.get(CredentialRow, name)


async def open_intents(session: AsyncSession) -> list[Intent]:
    """List the key changes that are not settled, the oldest first."""
    oldest_first = select(KeyIntentRow.connection).order_by(KeyIntentRow.begun_us).limit(MOST_ROWS)
    names = list(filter(is_connection_name, await session.scalars(oldest_first)))[:MOST_AT_ONCE]
    if not names:
        return []
    rows = select(KeyIntentRow).where(KeyIntentRow.connection.in_(names))
    return [
        Intent.of_row(row) for row in await session.scalars(rows.order_by(KeyIntentRow.begun_us))
    ]


def _taken_up(open_one: Intent, new: Intent | None) -> Intent:
    """Continue an open intent.

    Raises:
        ChangeInProgress: The request asks for something else.
    """
    if new is not None and open_one.is_repeated_by(new):
        return replace(open_one, taken_up=True)
    detail = (
        f"A change of {open_one.connection}'s key isn't settled yet. Repeat the same change, or "
        "wait a few seconds."
    )
    raise ChangeInProgress(detail)


def _moves(row: CredentialRow | None, key_version: KeyVersion | None) -> bool:
    """Whether the row must change to pin this version; None pins no key."""
    return row is not None if key_version is None else key_version_of(row) != key_version


def _unknown(intent: Intent) -> OutcomeUnknown:
    detail = (
        "The change may or may not have happened: an answer was lost. It is settled as soon as "
        "Vault and the database answer; repeating the same change is safe."
    )
    return OutcomeUnknown(detail, operation_id=intent.operation_id)
