"""Machine clients of the door: each with a secret of its own, a ceiling, a budget and an end."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from aurorasoc.config.budgets import Budget
from aurorasoc.config.vocabulary import Tlp

CLIENT_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")

MAX_CLIENTS: Final = 200
"""How many clients there may be at once."""

ClientProblem = Literal["unreadable", "seed_changed"]
"""Why a client's secrets are refused: its row was altered, or no seed here opens its hash key."""


def is_client_name(text: str) -> bool:
    """Whether a client may be called so."""
    return CLIENT_NAME.fullmatch(text) is not None


def digest_of(hash_key: bytes, secret: str) -> str:
    """Return what is stored of a secret: its HMAC-SHA256, 64 hex characters."""
    return hmac.new(hash_key, b"secret\0" + secret.encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """One machine client, as every process knows it.

    Attributes:
        created_at: When it was made, ISO 8601 UTC.
        secret_at: When its present secret was made, ISO 8601 UTC.
        digest: The keyed hash of that secret; empty if the client can't be used here.
        hash_key: The key of the hash.
        max_tlp: The most restricted label that it may send, and the label of what it sends
            without one; None: it has none.
        expires_at: When its secrets stop being valid; None: never.
        old_digest: The keyed hash of the secret before.
        old_until: When that one stops being valid; None: there is none.
        problem: Why none of its secrets is accepted here; None: they are.
    """

    name: str
    created_at: str = ""
    created_by: str = ""
    secret_at: str = ""
    digest: str = field(default="", repr=False)
    hash_key: bytes = field(default=b"", repr=False)
    max_tlp: Tlp | None = None
    expires_at: datetime | None = None
    budget: Budget | None = None
    old_digest: str | None = field(default=None, repr=False)
    old_until: datetime | None = None
    problem: ClientProblem | None = None


@dataclass(frozen=True, slots=True)
class AcceptedSecret:
    """A secret that belongs to a client.

    Attributes:
        until: When it stops being valid, or did; None: never.
        is_old: Whether another has replaced it.
    """

    client: ClientConfig
    digest: str = field(repr=False)
    until: datetime | None
    is_old: bool


class Clients(Mapping[str, ClientConfig]):
    """All machine clients by name, found by their secrets. Never altered."""

    def __init__(self, configs: Iterable[ClientConfig] = ()) -> None:
        self._configs = {config.name: config for config in configs}
        self._secrets: dict[bytes, dict[str, AcceptedSecret]] = {}
        for config in self._configs.values():
            if config.problem is None:
                known = self._secrets.setdefault(config.hash_key, {})
                known.update({one.digest: one for one in _secrets_of(config)})

    def __getitem__(self, name: str) -> ClientConfig:
        """Return a client."""
        return self._configs[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._configs)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._configs)

    def __hash__(self) -> int:
        """Return a hash that equal ones share."""
        return hash(frozenset(self._configs))

    def find(self, secret: str) -> AcceptedSecret | None:
        """Return whose secret this is, valid or not any more; None: nobody's.

        It is looked up by its keyed hash. How long that takes tells nothing: whoever sends a
        secret can't know, or choose, how its hash begins. The match is compared in constant time.
        """
        for hash_key, known in self._secrets.items():
            digest = digest_of(hash_key, secret)
            match = known.get(digest)
            if match is not None and hmac.compare_digest(match.digest, digest):
                return match
        return None


NO_CLIENTS: Final = Clients()


def _secrets_of(config: ClientConfig) -> Iterator[AcceptedSecret]:
    """Yield a client's secrets; the one that replaced the other last."""
    if config.old_digest is not None and config.old_until is not None:
        ends = [end for end in (config.old_until, config.expires_at) if end is not None]
        yield AcceptedSecret(config, config.old_digest, min(ends), is_old=True)
    yield AcceptedSecret(config, config.digest, config.expires_at, is_old=False)
