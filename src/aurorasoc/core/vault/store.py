"""VaultSecretStore: keys are stored in Vault; the database pins the active version.

Keys stay in memory once read. While Vault doesn't answer, a running process uses them for at most
`VAULT_MAX_STALE`, and shows since when (docs/vault.md).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import SecretStr

from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.snapshot import Credential, Problem, SecretStoreStatus, StoreProblem
from aurorasoc.config.vocabulary import BUILT_IN, ConnectionName, is_connection_name
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.secret_store import Stamp, StoredKey, StoreReading, last4_of
from aurorasoc.core.vault.answers import VaultProblem, VaultTrouble
from aurorasoc.core.vault.client import VaultClient, VaultSecret
from aurorasoc.core.vault.key_version import KeyVersion, key_version_of

LAG_TRIES: Final = 4
LAG_SECONDS: Final = 0.25
"""A standby may lag behind the version that was written: tries, and seconds between them."""

KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class _CachedKey:
    """A key in memory, and its origin as Vault has it."""

    api_key: SecretStr
    origin: str | None


@dataclass(slots=True)
class _Contact:
    """The outcome of the last call to Vault."""

    failing_since_us: int | None = None
    trouble: VaultTrouble | None = None
    detail: str = ""


class VaultSecretStore:
    """Keys at `<mount>/aurorasoc/llm-providers/<connection>`.

    Args:
        client: Talks to Vault.
        keyring: Tags keys for the fingerprint.
        max_stale: Seconds that keys in memory stay usable while Vault doesn't answer.
    """

    kind: Literal["vault", "database"] = "vault"
    transactional = False

    def __init__(
        self, client: VaultClient, keyring: Keyring, max_stale: float, clock: Clock = now_us
    ) -> None:
        self._client = client
        self._keyring = keyring
        self._max_stale_us = round(max_stale * 1e6)
        self._clock = clock
        self._cached: dict[str, dict[KeyVersion, _CachedKey]] = {}
        self._contact = _Contact()

    def peek(self, rows: Sequence[CredentialRow]) -> StoreReading:
        """Return the pinned keys that are in memory, without a call to Vault."""
        credentials = {row.connection: self._credential(row) for row in _known(rows)}
        usable = any(c.state == "usable" for c in credentials.values())
        return StoreReading(credentials, self._status(usable=usable or not credentials))

    async def refresh(self, rows: Sequence[CredentialRow], *, spread: float = 0.0) -> None:
        """Fetch the pinned versions that memory lacks. Failures show in the status.

        A row whose version Vault refuses keeps no other from being read.
        """
        pinned = [row for row in _known(rows) if key_version_of(row) is not None]
        lacking = [row for row in pinned if self._cached_for(row) is None]
        if lacking:
            await asyncio.sleep(random.uniform(0, spread))  # noqa: S311 - jitter
        for row in lacking:
            try:
                await self._fetch(row)
            except VaultProblem as problem:
                self._failed(problem)
                if problem.trouble == "unreachable":
                    return

    async def write(
        self, connection: ConnectionName, origin: str, api_key: SecretStr, stamp: Stamp
    ) -> StoredKey:
        """Write a new version by check-and-set against the current one.

        A version with the stamp's operation id is this same write, done earlier or elsewhere.

        Raises:
            VaultConflict: Someone else wrote between the two calls.
            VaultUndecided: It may have been written.
            VaultProblem: It was not written.
        """
        fields = {
            "api_key": api_key.get_secret_value(),
            "origin": origin,
            "operation_id": stamp.operation_id,
            "set_by": stamp.set_by,
            "set_at": iso(stamp.set_us) or "",
        }
        try:
            present = await self._client.current_version(connection)
            newest = await self.newest(connection)
            if newest is not None and newest.key_version.operation_id == stamp.operation_id:
                return StoredKey(token=None, key_id=None, vault_version=newest.version)
            version = await self._client.write(connection, fields, cas=present)
        except VaultProblem as problem:
            self._failed(problem)
            raise
        self._answered()
        self._hold(connection, KeyVersion(version, stamp.operation_id), _CachedKey(api_key, origin))
        return StoredKey(token=None, key_id=None, vault_version=version)

    async def remove(self, connection: ConnectionName) -> None:
        """Remove all versions and the metadata.

        Raises:
            VaultUndecided: They may have been removed.
            VaultProblem: They were not.
        """
        try:
            await self._client.delete(connection)
        except VaultProblem as problem:
            self._failed(problem)
            raise
        self._answered()
        self._cached.pop(connection, None)

    async def newest(self, connection: ConnectionName) -> VaultSecret | None:
        """Return Vault's newest version, pinned or not, and keep it in memory.

        Raises:
            VaultProblem: Vault refuses or doesn't answer.
        """
        try:
            secret = await self._client.read(connection)
        except VaultProblem as problem:
            self._failed(problem)
            raise
        self._answered()
        return secret if secret is not None and self._remember(secret) else None

    def forget(self, connection: ConnectionName) -> None:
        """Drop a key from memory: Vault no longer has it."""
        self._cached.pop(connection, None)

    async def keep_token(self) -> None:
        """Renew the token before it expires, until cancelled."""
        await self._client.keep_token()

    @property
    def in_trouble(self) -> bool:
        """Whether the last call to Vault failed."""
        return self._contact.failing_since_us is not None

    @property
    def problem(self) -> StoreProblem | None:
        """What is wrong with Vault now, or will be soon."""
        if self._client.token_ending and not self.in_trouble:
            return "token_ending"
        return self._contact.trouble

    def close(self) -> None:
        """Shut down the client's threads."""
        self._client.close()

    async def _fetch(self, row: CredentialRow) -> None:
        """Read the pinned version; retry if it is missing, since a standby may lag."""
        for attempt in range(LAG_TRIES):
            secret = await self._client.read(row.connection, row.vault_version)
            self._answered()
            if secret is not None and secret.key_version == key_version_of(row):
                self._remember(secret)
                return
            await asyncio.sleep(LAG_SECONDS * (attempt + 1))

    def _remember(self, secret: VaultSecret) -> bool:
        """Keep a secret in memory; return whether it contains a key."""
        if secret.api_key is None:
            return False
        key = _CachedKey(secret.api_key, secret.text("origin"))
        self._hold(secret.name, secret.key_version, key)
        return True

    def _hold(self, connection: ConnectionName, key_version: KeyVersion, key: _CachedKey) -> None:
        """Keep a version and the one before it, which may still be pinned."""
        versions = self._cached.setdefault(connection, {})
        versions.pop(key_version, None)
        versions[key_version] = key
        for old in list(versions)[:-KEPT]:
            del versions[old]

    def _cached_for(self, row: CredentialRow) -> _CachedKey | None:
        key_version = key_version_of(row)
        return (
            None if key_version is None else self._cached.get(row.connection, {}).get(key_version)
        )

    def _credential(self, row: CredentialRow) -> Credential:
        """Return a key with the origin that Vault has for it: a row can be altered."""
        if row.vault_version is None:
            detail = (
                "The key is stored in the database, and Vault is the configured store. Run "
                "`aurorasoc keys migrate --to vault`, or enter the key again."
            )
            return _without_key(row, "needs_reentry", Problem("stored_elsewhere", detail))
        cached = self._cached_for(row)
        if cached is None or self._too_stale():
            why = self._contact.detail or "Vault doesn't give the key now."
            detail = f"{why} The key is fetched as soon as Vault gives it."
            return _without_key(row, "unavailable", Problem("secret_store_unavailable", detail))
        text = cached.api_key.get_secret_value()
        if not fits_a_header(text):
            detail = "The key in Vault has blanks, control or non-ASCII characters. Enter it again."
            return _without_key(row, "needs_reentry", Problem("key_unusable", detail))
        if cached.origin is None and row.connection not in BUILT_IN:
            detail = (
                f"The key of {row.connection} in Vault has no origin. Write it beside api_key: "
                "the address that the key belongs to."
            )
            return _without_key(row, "needs_reentry", Problem("key_unusable", detail))
        return Credential(
            state="usable",
            source="vault",
            origin=cached.origin,
            api_key=cached.api_key,
            last4=last4_of(cached.api_key),
            tag=self._keyring.digest(text.encode()),
            set_us=row.set_us,
            set_by=row.set_by,
        )

    def _status(self, *, usable: bool) -> SecretStoreStatus:
        since = self._contact.failing_since_us
        if since is None:
            return SecretStoreStatus("vault", "ok", None, self.problem)
        state: Literal["stale", "unavailable"] = (
            "stale" if usable and not self._too_stale() else "unavailable"
        )
        return SecretStoreStatus("vault", state, iso(since), self.problem)

    def _too_stale(self) -> bool:
        since = self._contact.failing_since_us
        return since is not None and self._clock() - since > self._max_stale_us

    def _failed(self, problem: VaultProblem) -> None:
        since = self._contact.failing_since_us or self._clock()
        self._contact = _Contact(since, problem.trouble, problem.detail)

    def _answered(self) -> None:
        self._contact = _Contact()


def _known(rows: Sequence[CredentialRow]) -> list[CredentialRow]:
    """Leave out rows whose name can't be a connection's: names become paths in Vault."""
    return [row for row in rows if is_connection_name(row.connection)]


def _without_key(
    row: CredentialRow, state: Literal["needs_reentry", "unavailable"], problem: Problem
) -> Credential:
    return Credential(
        state=state,
        source="vault" if row.vault_version is not None else "database",
        origin=row.origin,
        last4=row.last4,
        tag=f"{state}:{row.operation_id}",
        problem=problem,
        set_us=row.set_us,
        set_by=row.set_by,
    )
