"""The only place where a new Snapshot is read, composed and swapped in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Final

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.ambient import ambient_overrides
from aurorasoc.config.snapshot import Credential, Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow, RuntimeConfigRow
from aurorasoc.core.histogram import Histogram
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.logs import get_logger
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.secret_store import SecretStore, Stamp, StoreReading, last4_of
from aurorasoc.errors import Conflict, DatabaseUnavailable
from aurorasoc.llm.adoption.client import ClientKeys
from aurorasoc.llm.adoption.compose import compose, knows_backend
from aurorasoc.llm.adoption.declared import declared_connections
from aurorasoc.llm.adoption.rows import SINGLETON, load_stored
from aurorasoc.llm.adoption.stored import Stored, StoredConfig

PATIENCE_SECONDS: Final = 1.0
"""How long a change of configuration waits for keys to be fetched."""

SPREAD_SECONDS: Final = 0.2
"""Spreads the fetches of a new key, because all processes learn of it at once."""

LATE_SECONDS: Final = 5.0
"""How long a database may neither answer nor refuse before it counts as unavailable."""

LATENCY_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""In seconds, for the histogram of adoptions: from a notification to a missed poll."""

log = get_logger("aurorasoc.adoption")


class Adoption:
    """Holds the snapshot in force.

    Args:
        settings: The boot defaults.
        database: Where the stored configuration is.
        store: Where the keys are.
        keyring: Tags keys for the fingerprint.

    Attributes:
        refusal: Why this process couldn't adopt what is stored; None once it could.
        on_refused: Called when it can't.
        client_keys: Opens the keys of machine clients' hashes.
    """

    def __init__(
        self, settings: Settings, database: Database, store: SecretStore, keyring: Keyring
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._keyring = keyring
        self.client_keys = ClientKeys(keyring)
        self._snapshot: Snapshot | None = None
        self._adopting = asyncio.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._committing: tuple[int, int] | None = None
        self.refusal: Conflict | None = None
        self.on_refused: Callable[[], object] = lambda: None
        self.stopped_here: HostedTraffic | None = None
        self._on_stop_here: list[Callable[[], None]] = []
        self.adopted_us = 0
        self.latencies = Histogram(LATENCY_BOUNDS)
        self.stale_since: str | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in force.

        Raises:
            Conflict: Nothing was adopted yet: this process doesn't know the stored backend.
            DatabaseUnavailable: Nothing was adopted yet: the database never answered.
        """
        if self._snapshot is None:
            if self.refusal is not None:
                raise Conflict(self.refusal.detail)
            detail = "The configuration could not be read yet: the database doesn't answer."
            raise DatabaseUnavailable(detail)
        return self._snapshot

    @property
    def ready(self) -> bool:
        """Whether a snapshot is in force."""
        return self._snapshot is not None

    def on_adopted(self, callback: Callable[[], None]) -> None:
        """Call back after each adoption. The callback must return at once."""
        self._callbacks.append(callback)

    async def adopt(self, *, fetch: bool = True, spread: float = 0.0) -> Snapshot:
        """Read what is stored and make it the snapshot in force.

        Args:
            fetch: Whether missing keys are fetched first; otherwise they are shown as
                unavailable until the next adoption.
            spread: Seconds over which processes that adopt at once spread their fetches.

        Raises:
            DatabaseUnavailable: It can't be read. The snapshot in force stays, marked as stale.
            Conflict: This version doesn't know the stored backend. The snapshot in force stays.
        """
        async with self._adopting:
            fetch = fetch and not self._store.transactional  # whose rows hold every key
            async with self._reading() as session:
                with self._noting_refusal():
                    stored = await self.read(session)
                self.stale_since = None
                if not fetch:  # before the connection is released, which costs a round trip
                    self.swap(stored.snapshot, stored.written_us)
            if fetch:
                await self._fetch(stored, spread)
            return self.snapshot

    @contextmanager
    def _noting_refusal(self) -> Iterator[None]:
        """Note why what is stored can't be adopted."""
        try:
            yield
        except Conflict as refusal:
            self.refusal = refusal.with_traceback(None)
            self.on_refused()
            raise
        self.refusal = None

    async def _fetch(self, stored: Stored, spread: float) -> None:
        """Fetch keys; if that takes long, put the rest of the configuration in force first."""
        rows = self._rows_of(stored.config, stored.key_rows)
        fetching = asyncio.ensure_future(self._store.refresh(rows, spread=spread))
        done, _ = await asyncio.wait({fetching}, timeout=PATIENCE_SECONDS)
        if not done:
            self.swap(stored.snapshot, stored.written_us)
        await fetching
        self.swap(self.compose(stored.config, self._store.peek(rows)), stored.written_us)

    async def follow(self, heard: int | None = None) -> None:
        """Adopt if another process committed a newer revision.

        Args:
            heard: The newest reported revision; None reads it.

        Raises:
            DatabaseUnavailable: The revision can't be read.
        """
        if self._snapshot is not None and self.stale_since is None:
            if heard is None:
                heard = await self._stored_revision()
            if heard <= self._snapshot.revision:
                return
        await self.adopt(spread=SPREAD_SECONDS)

    async def _stored_revision(self) -> int:
        async with self._reading() as session:
            row = await session.get(RuntimeConfigRow, SINGLETON)
        return row.revision if row else 0

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        """Read in one statement; mark as stale if the database refuses or is silent for long."""
        late = asyncio.get_running_loop().call_later(LATE_SECONDS, self.mark_stale)
        try:
            async with self._database.reading(once=True) as session:
                yield session
        except DatabaseUnavailable:
            self.mark_stale()
            raise
        finally:
            late.cancel()

    def mark_stale(self) -> None:
        """Note since when the database doesn't answer, for the inventory to show."""
        self.stale_since = self.stale_since or iso(now_us())

    async def read(self, session: AsyncSession, *, to_change: bool = False) -> Stored:
        """Compose what the session sees, its uncommitted changes included.

        Args:
            session: The caller's.
            to_change: Compose even if the backend isn't known, so that a change can replace it.

        Raises:
            Conflict: This version doesn't know the stored backend.
        """
        rows = await load_stored(session)
        config = rows.config
        reading = self.read_keys(config, rows.key_rows)
        if to_change and not knows_backend(config, self.existing(config)):
            config = replace(config, backend=None)
        snapshot = self.compose(config, reading)
        return Stored(
            rows.config, rows.key_rows, reading, snapshot, rows.written_us, rows.newest_revision
        )

    def read_keys(
        self, config: StoredConfig, key_rows: Mapping[ConnectionName, CredentialRow]
    ) -> StoreReading:
        """Read the keys of the connections that exist with a configuration, without any call."""
        return self._store.peek(self._rows_of(config, key_rows))

    def existing(self, config: StoredConfig) -> Collection[ConnectionName]:
        """Return the connections that exist in this process with a configuration."""
        return declared_connections(self._settings, config).keys()

    def _rows_of(
        self, config: StoredConfig, key_rows: Mapping[ConnectionName, CredentialRow]
    ) -> list[CredentialRow]:
        existing = self.existing(config)
        return [row for name, row in key_rows.items() if name in existing]

    def compose(self, config: StoredConfig, reading: StoreReading) -> Snapshot:
        """Compose with this process's settings, seeds and environment, and this host's stop."""
        snapshot = compose(
            self._settings,
            config,
            reading,
            digest=self._keyring.digest,
            ambient=ambient_overrides,
            clients=self.client_keys.compose(config.clients),
        )
        return self._with_stop_here(snapshot)

    def stop_here(self, stop: HostedTraffic | None) -> None:
        """Put a stop of hosted traffic by this host's file in force, or its end.

        The database isn't asked: it may be away.
        """
        if stop == self.stopped_here:
            return
        self.stopped_here = stop
        log.warning("hosted traffic of this host", stopped=stop is not None)
        if self._snapshot is not None:
            self.swap(self._snapshot)
        for callback in self._on_stop_here:
            callback()

    def on_stop_here(self, callback: Callable[[], None]) -> None:
        """Call back after each stop by this host's file, and its end; it must return at once."""
        self._on_stop_here.append(callback)

    def _with_stop_here(self, snapshot: Snapshot) -> Snapshot:
        if snapshot.stopped_here == self.stopped_here:
            return snapshot
        return replace(snapshot, stopped_here=self.stopped_here)

    def credential_of(self, origin: str, api_key: SecretStr, stamp: Stamp) -> Credential:
        """Return a key's credential as it will be stored."""
        return Credential(
            state="usable",
            source=self._store.kind,
            origin=origin,
            api_key=api_key,
            last4=last4_of(api_key),
            tag=self.tag_of(api_key),
            set_us=stamp.set_us,
            set_by=stamp.set_by,
        )

    def tag_of(self, api_key: SecretStr) -> str:
        """Return a tag that tells keys apart without revealing them."""
        return self._keyring.digest(api_key.get_secret_value().encode())

    def tags_of(self, api_key: SecretStr) -> tuple[str, ...]:
        """Return a key's tags in all processes, whichever of this one's seeds is their first."""
        return self._keyring.digests(api_key.get_secret_value().encode())

    def will_write(self, revision: int, at_us: int) -> None:
        """Note a revision before this process commits it, so that adopting it isn't timed.

        The feed may report the commit, and adopt it, before the committing task continues. If this
        commit fails, the time tells it from another process's revision of the same number.
        """
        self._committing = (revision, at_us)

    def swap(self, candidate: Snapshot, written_us: int | None = None) -> None:
        """Put a snapshot in force, in one assignment; ignore an older revision.

        Args:
            candidate: The snapshot.
            written_us: When its revision was written; None if this process just wrote it.
        """
        current, candidate = self._snapshot, self._with_stop_here(candidate)
        if current is not None and candidate.revision < current.revision:
            return
        if candidate == current:
            return
        REDACTOR.learn(
            config.credential.api_key.get_secret_value()
            for config in candidate.connections.values()
            if config.credential.api_key is not None
        )
        self._snapshot = candidate
        self.adopted_us = now_us()
        followed = current is not None and candidate.revision > current.revision
        followed = followed and (candidate.revision, written_us) != self._committing
        latency = (self.adopted_us - written_us) / 1e6 if followed and written_us else None
        if latency is not None:
            self.latencies.observe(latency)
        log.info(
            "adopted",
            revision=candidate.revision,
            fingerprint=candidate.fingerprint,
            backend=str(candidate.requested.value),
            latency=latency,
            at=time.time(),
        )
        for callback in self._callbacks:
            callback()
