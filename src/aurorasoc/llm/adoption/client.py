"""How stored machine clients come into force: their key is opened, and each row is checked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aurorasoc.config.clients import MAX_CLIENTS, ClientConfig, ClientProblem, Clients
from aurorasoc.config.snapshot import Problem
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.keyring import Keyring, SeedChanged
from aurorasoc.llm.adoption.stored_clients import StoredClient

_KEY_BYTES: Final = 32
_MOST_OPENED: Final = 4 * MAX_CLIENTS

_PROBLEMS: Final[dict[ClientProblem, str]] = {
    "unreadable": (
        "Its row was altered, or written by another version: its secret is refused. Revoke the "
        "client, and make it again."
    ),
    "seed_changed": (
        "No seed of this process opens the key of its hashes: its secret is refused. Set the old "
        "seed in AURORA_SECRET_KEY_PREVIOUS again, or revoke the client and make it again."
    ),
}


def problem_of(code: ClientProblem) -> Problem:
    """Return why a client can't be used here, and what to do."""
    return Problem(code, _PROBLEMS[code])


class HashKey(NamedTuple):
    """The key of clients' hashes, and what is stored of it."""

    key: bytes
    token: str


class ClientKeys:
    """Opens the sealed keys of clients' hashes, each once: a process's seeds never change.

    Args:
        keyring: Holds the seeds.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._opened: dict[str, bytes | None] = {}

    def opened(self, token: str) -> bytes | None:
        """Return a sealed key; None if no seed here opens it."""
        if token not in self._opened:
            if len(self._opened) >= _MOST_OPENED:
                self._opened.clear()
            self._opened[token] = self._open(token)
        return self._opened[token]

    def for_new(self, clients: Mapping[str, StoredClient]) -> HashKey:
        """Return the key for a new secret: the one in use, or a new one; the first seed seals it.

        Raises:
            ConfigurationError: There is no seed to seal with.
        """
        used = [HashKey(key, one.token) for one in clients.values() if (key := self._of(one))]
        for known in used:
            if self._keyring.opener("client-key", known.token) == self._keyring.key_ids[0]:
                return known
        key = used[0].key if used else secrets.token_bytes(_KEY_BYTES)
        return HashKey(key, self._keyring.seal("client-key", key).token)

    def compose(self, stored: Mapping[str, StoredClient]) -> Clients:
        """Return the clients in force; the secrets of one that can't be read are refused."""
        return Clients(self._composed(name, its) for name, its in stored.items())

    def _composed(self, name: str, stored: StoredClient) -> ClientConfig:
        key = None if stored.unreadable else self.opened(stored.token)
        if key is None:
            return ClientConfig(name, problem="unreadable" if stored.unreadable else "seed_changed")
        if not stored.is_authentic(name, key):
            return ClientConfig(name, problem="unreadable")
        try:
            return _config(name, stored, key)
        except ValueError:  # another version's label or time
            return ClientConfig(name, problem="unreadable")

    def _of(self, stored: StoredClient) -> bytes | None:
        return None if stored.unreadable else self.opened(stored.token)

    def _open(self, token: str) -> bytes | None:
        try:
            return self._keyring.open("client-key", token)
        except SeedChanged:
            return None


def _config(name: str, stored: StoredClient, key: bytes) -> ClientConfig:
    """Return an authentic row as it is in force.

    Raises:
        ValueError: It holds a label or a time that this version can't read.
    """
    return ClientConfig(
        name,
        stored.created_at,
        stored.created_by,
        stored.secret_at,
        stored.digest,
        key,
        None if stored.max_tlp is None else Tlp(stored.max_tlp),
        _moment(stored.expires_at),
        stored.budget,
        stored.old_digest,
        _moment(stored.old_until),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
