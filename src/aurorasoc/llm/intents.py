"""Keys into a store that takes no part in our transaction: intent, write, activation.

The intent is committed and audited first. Then the store is written, by check-and-set and under
the intent's operation id. Then, in one transaction, the version is pinned, the configuration
that waited for it is activated, and the outcome is audited. Whatever crashes between is settled
later from what the store holds, always forward (docs/decisions/030).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.database import Database
from aurorasoc.core.secret_store import Stamp, last4_of
from aurorasoc.core.tables import CredentialRow, KeyIntentRow
from aurorasoc.core.vault.client import VaultConflict, VaultProblem, VaultSecret, VaultUndecided
from aurorasoc.core.vault.store import VaultSecretStore, operation_id_of
from aurorasoc.errors import (
    AuditUnavailable,
    ChangeInProgress,
    DatabaseUnavailable,
    OutcomeUnknown,
)
from aurorasoc.llm.adoption import Adoption, Stored
from aurorasoc.llm.change import KeyEdit, Plan, SetKey
from aurorasoc.llm.journal import Deed, Journal
from aurorasoc.llm.runtime_config import ProviderChoice, RuntimeConfig

CAS_TRIES: Final = 3
INTENDED: Final = "llm.key.intended"
ABANDONED: Final = "llm.key.abandoned"
SET, DELETE = "set", "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """A key change under way, as it stands in its row.

    Attributes:
        taken_up: Whether this is a repetition: an earlier try may have been written.
    """

    provider: ServingBackend
    operation_id: str
    kind: str
    origin: str
    last4: str | None
    tag: str
    activation: str | None
    action: str
    actor: str
    begun_us: int
    taken_up: bool = False

    @property
    def deed(self) -> Deed:
        """What the audit log will say was done."""
        return Deed(self.action, self.provider.value, self.actor)


async def open_intents(session: AsyncSession) -> list[Intent]:
    """List the key changes that are not settled."""
    return [_intent(row) for row in await session.scalars(select(KeyIntentRow))]


@dataclass(frozen=True, slots=True)
class KeyIntents:
    """Begins, carries out and settles key changes in Vault."""

    database: Database
    adoption: Adoption
    store: VaultSecretStore
    journal: Journal

    async def begin(self, session: AsyncSession, deed: Deed, planned: Plan) -> Intent | None:
        """Write and audit the intent of a change that touches a key; None for any other.

        Repeating the same key, or the same removal, takes up the intent that is open, and settles
        it; what waits for the key in it must not be another configuration.

        Raises:
            ChangeInProgress: Another change of the provider's key isn't settled yet.
        """
        key = planned.edited.key
        found = await session.get(KeyIntentRow, key.provider.value if key else deed.target)
        if found is not None:
            intent = _intent(found)
            if key is not None and self._is_same(intent, self._new(deed, planned, key)):
                return replace(intent, taken_up=True)
            detail = (
                f"A change of {intent.provider}'s key isn't settled yet. Repeat it as it was, or "
                "wait a few seconds."
            )
            raise ChangeInProgress(detail)
        if key is None:
            return None
        intent = self._new(deed, planned, key)
        session.add(_intent_row(intent))
        told = {"operation_id": intent.operation_id, "kind": intent.kind, "origin": intent.origin}
        await self.journal.record(session, replace(deed, action=INTENDED), told)
        return intent

    async def carry_out(self, intent: Intent, key: KeyEdit) -> Snapshot:
        """Write to the store, then activate.

        Raises:
            SecretStoreUnavailable: It was not written; the intent is withdrawn.
            OutcomeUnknown: It may have been written, or was, and the database doesn't take it up;
                the intent stays open until that is known. Or it came so late that another process
                withdrew the intent: what was written is adopted like an operator's.
        """
        try:
            if isinstance(key, SetKey):
                version = await self._write(intent, key)
            else:
                await self.store.remove(intent.provider)
                version = None
        except VaultUndecided:
            refused: VaultProblem | None = None
        except VaultProblem as problem:
            refused = problem
        else:
            return await self._finish(intent, version)
        if refused is None or intent.taken_up:
            raise _unknown(intent)
        await self.abandon(intent, refused.trouble)
        raise refused

    async def _finish(self, intent: Intent, version: int | None) -> Snapshot:
        """Activate what the store has done.

        Raises:
            OutcomeUnknown: The database doesn't take it up now, or someone withdrew the intent.
        """
        try:
            settled = await self.activate(intent, version)
        except (DatabaseUnavailable, AuditUnavailable):
            settled = None
        if settled is None or not _stands(intent, settled):
            raise _unknown(intent)
        return settled.snapshot

    async def settle(self, intent: Intent) -> None:
        """Bring an intent that a crash or a lost answer left open to its end, forward.

        A removal leaves alone what was written after it began: that is somebody else's.

        Raises:
            VaultProblem, VaultUndecided: It still can't be told.
        """
        secret = await self.store.newest(intent.provider)
        if intent.kind == DELETE:
            if secret is None or await self._is_pinned(intent, secret):
                await self.store.remove(intent.provider)
            await self.activate(intent, None)
        elif secret is not None and _wrote(intent, secret):
            await self.activate(intent, secret.version)
        else:
            await self.abandon(intent, "not written")

    async def activate(self, intent: Intent, version: int | None) -> Stored:
        """Pin the version, activate what waited for it, and audit, in one transaction."""
        async with self.database.transaction() as session:
            row = await session.get(KeyIntentRow, intent.provider.value)
            if row is None or row.operation_id != intent.operation_id:
                settled = await self.adoption.read(session)  # by someone else, meanwhile
            else:
                settled = await self._activate(session, intent, version)
                await session.delete(row)
        self.adoption.swap(settled.snapshot)
        return settled

    async def abandon(self, intent: Intent, why: str) -> None:
        """Withdraw an intent that came to nothing, and say so in the audit log."""
        async with self.database.transaction() as session:
            row = await session.get(KeyIntentRow, intent.provider.value)
            if row is None or row.operation_id != intent.operation_id:
                return
            await session.delete(row)
            told = {"operation_id": intent.operation_id, "why": why}
            await self.journal.record(session, replace(intent.deed, action=ABANDONED), told)

    async def _activate(self, session: AsyncSession, intent: Intent, version: int | None) -> Stored:
        before = await self.adoption.read(session)
        runtime = replace(_activated(before.runtime, intent), revision=before.runtime.revision + 1)
        if version is None:
            stale = await session.get(CredentialRow, intent.provider.value)
            if stale is not None:
                await session.delete(stale)
        else:
            await session.merge(_pin(intent, version, self.journal.clock()))
        told = {"operation_id": intent.operation_id, "vault_version": version}
        await self.journal.write(session, intent.deed, runtime, told, changed=True)
        await session.flush()
        return await self.adoption.read(session)

    async def _write(self, intent: Intent, key: SetKey) -> int:
        """Write by check-and-set, and look again when someone else was faster."""
        stamp = Stamp(intent.operation_id, intent.actor, intent.begun_us)
        for _ in range(CAS_TRIES):
            try:
                stored = await self.store.write(key.provider, key.origin, key.api_key, stamp)
            except VaultConflict:
                continue
            return stored.vault_version or 0
        detail = "The secret is being changed in Vault at the same time. Try again."
        raise VaultProblem(detail, "unreachable")

    def _new(self, deed: Deed, planned: Plan, key: KeyEdit) -> Intent:
        is_set = isinstance(key, SetKey)
        choice = planned.runtime.choice(key.provider)
        waits = {"backend": planned.runtime.backend, "choice": asdict(choice)}
        return Intent(
            provider=key.provider,
            operation_id=str(uuid.uuid4()),
            kind=SET if is_set else DELETE,
            origin=key.origin if isinstance(key, SetKey) else "",
            last4=last4_of(key.api_key) if isinstance(key, SetKey) else None,
            tag=self.adoption.tag_of(key.api_key) if isinstance(key, SetKey) else "",
            activation=json.dumps(waits) if planned.reconfigures else None,
            action=deed.action,
            actor=deed.actor,
            begun_us=self.journal.clock(),
        )

    def _is_same(self, intent: Intent, repeated: Intent) -> bool:
        waits = repeated.activation in {None, intent.activation}
        mine = (repeated.kind, repeated.origin, repeated.tag)
        return waits and (intent.kind, intent.origin, intent.tag) == mine

    async def _is_pinned(self, intent: Intent, secret: VaultSecret) -> bool:
        async with self.database.reading() as session:
            row = await session.get(CredentialRow, intent.provider.value)
        return row is not None and row.operation_id == operation_id_of(intent.provider, secret)


def _intent(row: KeyIntentRow) -> Intent:
    values: dict[str, Any] = {c.name: getattr(row, c.name) for c in row.__table__.columns}
    return Intent(**{**values, "provider": ServingBackend(row.provider)})


def _intent_row(intent: Intent) -> KeyIntentRow:
    values = {**asdict(intent), "provider": intent.provider.value}
    del values["taken_up"]
    return KeyIntentRow(**values)


def _activated(runtime: RuntimeConfig, intent: Intent) -> RuntimeConfig:
    """Lay what waited over what is in force now; other providers' changes meanwhile stay."""
    if intent.activation is None:
        return runtime
    waits = json.loads(intent.activation)
    choice = ProviderChoice(**waits["choice"])
    return replace(runtime.with_choice(intent.provider, choice), backend=waits["backend"])


def _pin(intent: Intent, version: int, at_us: int) -> CredentialRow:
    return CredentialRow(
        provider=intent.provider.value,
        origin=intent.origin,
        token=None,
        key_id=None,
        last4=intent.last4,
        vault_version=version,
        operation_id=intent.operation_id,
        set_by=intent.actor,
        set_us=at_us,
    )


def _stands(intent: Intent, settled: Stored) -> bool:
    """Whether the intent's own end is what the database shows."""
    row = settled.rows.get(intent.provider.value)
    if intent.kind == DELETE:
        return row is None
    return row is not None and row.operation_id == intent.operation_id


def _unknown(intent: Intent) -> OutcomeUnknown:
    detail = (
        "The change may or may not have happened: an answer was lost on the way. It is settled as "
        "soon as Vault and the database answer; repeating it as it was is safe."
    )
    return OutcomeUnknown(detail, operation_id=intent.operation_id)


def _wrote(intent: Intent, secret: VaultSecret) -> bool:
    return operation_id_of(intent.provider, secret) == intent.operation_id
