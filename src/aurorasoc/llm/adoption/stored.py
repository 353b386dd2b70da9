"""The stored configuration as one value, compared and replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Final

from aurorasoc.config.assignments import UNASSIGNED, Assignments
from aurorasoc.config.budgets import Limit, can_be_limits
from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.config.clients import MAX_CLIENTS, is_client_name
from aurorasoc.config.fallbacks import can_be_fallbacks
from aurorasoc.config.hosted_traffic import ALLOWED, HostedTraffic
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import BUILT_IN, ConnectionName, ServingBackend, is_connection_name
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.database.tables import (
    CredentialRow,
)
from aurorasoc.core.secret_store import StoreReading
from aurorasoc.llm.adoption.stored_clients import StoredClient

MAX_NAMED: Final = 64
"""How many connections may be made beside the built-in ones."""


@dataclass(frozen=True, slots=True)
class ConnectionChoice:
    """What an admin chose for one connection. None means the boot default.

    Attributes:
        provider: The kind of provider that it leads to; None for a built-in one.
        max_tlp: The most restricted label that may go there.
        from_env: True if an environment declares it, and holds what isn't chosen here.
    """

    model: str | None = None
    orchestrator_model: str | None = None
    base_url: str | None = None
    provider: ServingBackend | None = None
    max_tlp: str | None = None
    options: CallOptions = NO_OPTIONS
    from_env: bool | None = None

    def leading_to(self, provider: ServingBackend, *, from_env: bool) -> ConnectionChoice:
        """Return it with a named connection's provider, by which every process knows it."""
        return replace(self, provider=provider, from_env=self.from_env or from_env or None)


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """All that an admin chose, except keys. None means the boot default.

    Attributes:
        providers: What was chosen for each connection, by name; the history calls it so.
        clients: The machine clients, by name.
    """

    __pydantic_config__: ClassVar = DEFERRED

    revision: int = 0
    backend: str | None = None
    hosted_max_tlp: str | None = None
    local_backend: str | None = None
    require_tlp: bool | None = None
    providers: Mapping[ConnectionName, ConnectionChoice] = field(default_factory=dict)
    assignments: Assignments = UNASSIGNED
    fallbacks: tuple[ConnectionName, ...] | None = None
    on_refusal: str | None = None
    hosted_traffic: HostedTraffic = ALLOWED
    clients: Mapping[str, StoredClient] = field(default_factory=dict)
    budgets: tuple[Limit, ...] = ()

    def choice(self, name: ConnectionName) -> ConnectionChoice:
        """Return what was chosen for a connection."""
        return self.providers.get(name, ConnectionChoice())

    def with_choice(self, name: ConnectionName, choice: ConnectionChoice) -> StoredConfig:
        """Return the same configuration with one connection's values replaced."""
        others = {other: its for other, its in self.providers.items() if other != name}
        if choice != ConnectionChoice():
            others[name] = choice
        return replace(self, providers=others)

    def standing_over(self, other: StoredConfig) -> StoredConfig:
        """Return another configuration with what a rollback leaves in force.

        A stop ends by a release alone, and a limit by setting other ones. No client comes back,
        and none goes.
        """
        return replace(
            other,
            hosted_traffic=self.hosted_traffic,
            budgets=self.budgets,
            clients=self.clients,
        )

    @property
    def named(self) -> int:
        """How many connections beside the built-in ones have a row."""
        return len(self.providers.keys() - set(BUILT_IN))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for the history, without keys, and clients without their hashes."""
        clients = {name: its.for_history() for name, its in self.clients.items()}
        return {**asdict(replace(self, clients={})), "clients": clients}


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored, the keys read from the store, and the snapshot composed of both.

    Attributes:
        config: What an admin chose, except keys.
        key_rows: The stored keys' rows, by connection; some may belong to one that doesn't exist
            here (any more). Their keys aren't read.
        written_us: When the revision was written; None for 0, the boot defaults.
        newest_revision: The newest number in use, here or in the history.
    """

    config: StoredConfig
    key_rows: dict[str, CredentialRow]
    reading: StoreReading
    snapshot: Snapshot
    written_us: int | None
    newest_revision: int

    def next_revision(self, *, changed: bool) -> int:
        """Return the revision after a change: the first free number, or the one in force.

        The history may hold a number that no change made (docs/decisions/025).
        """
        return self.newest_revision + 1 if changed else self.config.revision


def is_possible(config: StoredConfig) -> bool:
    """Whether a change can have made it: names are possible, lists short, and limits sound.

    Names become paths in Vault.
    """
    named = {name: its for name, its in config.providers.items() if name not in BUILT_IN}
    sound = all(is_connection_name(name) and its.provider for name, its in named.items())
    lists = (config.fallbacks or (), *lists_in(config.assignments))
    lists_are_short = all(map(can_be_fallbacks, lists)) and len(named) <= MAX_NAMED
    clients_are_few = len(config.clients) <= MAX_CLIENTS
    sound = sound and clients_are_few and all(map(is_client_name, config.clients))
    return sound and lists_are_short and can_be_limits(config.budgets)


def lists_in(assignments: Assignments) -> Iterator[tuple[ConnectionName, ...]]:
    """Yield the lists of fallbacks that assignments have."""
    return (one.fallbacks or () for one in assignments.everyones)
