"""Watch Vault: settle open intents, and adopt keys that operators write there.

One process wins each conditional update of a pin; the others adopt its revision.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.tables import CredentialRow, KeyIntentRow, RevisionRow
from aurorasoc.core.logs import get_logger
from aurorasoc.core.secret_store import last4_of
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.client import VaultSecret
from aurorasoc.core.vault.key_version import KeyVersion, key_version_of
from aurorasoc.core.vault.store import VaultSecretStore
from aurorasoc.errors import AuroraError, Conflict
from aurorasoc.granite.base_url import origin_of_key
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.changes.intents import KeyIntents, open_intents

GRACE_US: Final = 15_000_000
"""How long the process that began an intent may take; after that, any process settles it."""

LAG_US: Final = 5_000_000
"""How far a standby may lag behind a change."""

SETTLE_SECONDS: Final = 3.0
LONGEST_PAUSE: Final = 15.0
"""Upper limit of the pause in seconds, which doubles while Vault doesn't answer."""

JITTER: Final = 0.2
OPERATOR: Final = "vault"

T = TypeVar("T")

log = get_logger("aurorasoc.vault")


@dataclass(frozen=True, slots=True)
class VaultWatch:
    """Settles intents every few seconds, polls pins every interval, and renews the token."""

    store: VaultSecretStore
    intents: KeyIntents
    poll_interval: float
    grace_us: int = GRACE_US
    lag_us: int = LAG_US

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(SETTLE_SECONDS, self.settle))
            tasks.create_task(self._every(self.poll_interval, self.poll))
            tasks.create_task(self.store.keep_token())

    async def settle(self) -> None:
        """Settle intents whose process is late or gone, and read missing keys again."""
        async with self.intents.database.reading() as session:
            intents = await open_intents(session)
        now_us = self.intents.journal.clock()
        # One from a time to come would wait for it.
        late = [intent for intent in intents if abs(now_us - intent.begun_us) > self.grace_us]
        try:
            await _each(late, self.intents.settle)
        finally:
            if self._is_outdated() or self._lacks_keys():
                await self.intents.adoption.adopt()

    async def poll(self) -> None:
        """Compare every pin with what Vault holds now."""
        try:
            await _each(self._keyed(), self._compare)
        finally:
            if self._is_outdated():
                await self.intents.adoption.adopt()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Call repeatedly, with jitter; less often while Vault is in trouble."""
        pause = seconds
        while True:
            try:
                await work()
            except AuroraError as error:
                log.warning("vault", code=error.code, detail=error.detail)
            except Exception:  # the watch must survive every failure of Vault and the database
                log.exception("vault")
            pause = min(2 * pause, LONGEST_PAUSE) if self.store.in_trouble else seconds
            pause = max(pause, seconds)
            await asyncio.sleep(pause * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - jitter

    def _is_outdated(self) -> bool:
        """Whether the inventory may show an old state of Vault."""
        adoption = self.intents.adoption
        shown = adoption.snapshot.secret_store.problem if adoption.ready else None
        return self.store.in_trouble or shown != self.store.problem

    def _keyed(self) -> list[ConnectionName]:
        """Return the connections that take a key; before a snapshot is in force, the built-in."""
        adoption = self.intents.adoption
        if not adoption.ready:
            return [spec.provider.value for spec in CATALOG.values() if spec.key != "none"]
        present = adoption.snapshot.connections.values()
        return [one.name for one in present if CATALOG[one.provider].key != "none"]

    def _lacks_keys(self) -> bool:
        providers = (
            self.intents.adoption.snapshot.connections.values()
            if self.intents.adoption.ready
            else ()
        )
        return any(config.credential.state == "unavailable" for config in providers)

    async def _compare(self, name: ConnectionName) -> None:
        secret = await self.store.newest(name)
        async with self.intents.database.reading() as session:
            row = await session.get(CredentialRow, name)
            seen, changed_us = key_version_of(row), await self._changed_us(session, name)
        newest = secret.key_version if secret else None
        if seen == newest or (row is not None and seen is None):
            return
        if self._may_lag(row, secret, changed_us):
            return
        async with self.intents.database.transaction() as session:
            if await self._is_unchanged(session, name, seen):
                await self._take_over(session, name, secret)
        await self.intents.adoption.adopt()

    def _may_lag(
        self, row: CredentialRow | None, secret: VaultSecret | None, changed_us: int
    ) -> bool:
        """Whether the answer may come from a standby that lags behind.

        A missing secret, or one without a pin, is believed only after the longest lag. A version
        that is not above the pinned one, and older, is never adopted.
        """
        if row is None or secret is None:
            return self.intents.journal.clock() - changed_us < self.lag_us
        earlier = secret.version <= (row.vault_version or 0)
        return earlier and _us_of(secret.created) < row.set_us

    async def _changed_us(self, session: AsyncSession, name: ConnectionName) -> int:
        """Return when a connection was last changed here; 0 means never.

        A time to come was not written by a change, and would make every answer look like a lag.
        """
        last = select(func.max(RevisionRow.at_us)).where(
            RevisionRow.target == name,
            RevisionRow.at_us <= self.intents.journal.clock() + self.lag_us,
        )
        return await session.scalar(last) or 0

    async def _is_unchanged(
        self, session: AsyncSession, name: ConnectionName, seen: KeyVersion | None
    ) -> bool:
        """Whether nobody moved the pin since it was read, and no change is under way."""
        row = await session.get(CredentialRow, name)
        intent = await session.get(KeyIntentRow, name)
        return intent is None and key_version_of(row) == seen

    async def _take_over(
        self, session: AsyncSession, name: ConnectionName, secret: VaultSecret | None
    ) -> None:
        before = await self.intents.adoption.read(session, to_change=True)
        if name not in before.snapshot.connections:
            return  # it was deleted while Vault answered
        config = replace(before.config, revision=before.next_revision(changed=True))
        if secret is None:
            row = await session.get(CredentialRow, name)
            await session.delete(row)
            self.store.forget(name)
        else:
            await session.merge(_credential(name, before.snapshot, secret))
        details = {"deleted": secret is None, "vault_version": secret.version if secret else None}
        event = AuditEvent(OPERATOR, Action.KEY_CHANGED_IN_VAULT, name, details)
        await self.intents.journal.write(session, event, config, changed=True)


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Work on each, even if some are refused: a policy may know some paths only.

    Raises:
        AuroraError: The first refusal; or a failure that the others would meet, too.
    """
    refusals: list[AuroraError] = []
    for item in items:
        try:
            await work(item)
        except Conflict as error:
            refusals.append(error)
        except VaultProblem as problem:
            if problem.trouble != "denied":
                raise
            refusals.append(problem)
    if refusals:
        raise refusals[0]


def _us_of(created: str) -> int:
    """Read Vault's timestamp: RFC 3339 with up to nine decimals of a second."""
    return round(datetime.fromisoformat(created).timestamp() * 1e6)


def _credential(name: ConnectionName, present: Snapshot, secret: VaultSecret) -> CredentialRow:
    """Return the row that pins an operator's key."""
    spec = CATALOG[present.connections[name].provider]
    return CredentialRow(
        connection=name,
        origin=origin_of_key(name, spec, secret.text("origin")),
        token=None,
        key_id=None,
        last4=last4_of(secret.api_key) if secret.api_key else None,
        vault_version=secret.key_version.version,
        operation_id=secret.key_version.operation_id,
        set_by=OPERATOR,
        set_us=_us_of(secret.created),
    )
