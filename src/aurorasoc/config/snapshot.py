"""Immutable configuration types that every layer above reads.

A `Snapshot` is composed once (llm/adoption/compose.py), swapped in with one assignment
(llm/adoption/adopt.py) and never changed. Each field records the source of its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import SecretStr

from aurorasoc.config.assignments import UNASSIGNED, Assignments
from aurorasoc.config.budgets import Limit
from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.config.clients import NO_CLIENTS, Clients
from aurorasoc.config.fallbacks import OnRefusal
from aurorasoc.config.hosted_traffic import ALLOWED, HostedTraffic
from aurorasoc.config.vocabulary import (
    BackendChoice,
    ConnectionName,
    LocalChoice,
    Role,
    ServingBackend,
    Tlp,
)

T = TypeVar("T")

Source = Literal["runtime", "env", "default"]
KeySource = Literal["vault", "database", "env"]
StoreProblem = Literal["sealed", "denied", "unreachable", "unauthenticated", "token_ending"]
KeyState = Literal["usable", "needs_reentry", "unavailable", "absent"]


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A value and where it came from."""

    value: T
    source: Source


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something isn't ready: a stable code, and a sentence that says what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Credential:
    """One provider's key and its state.

    Attributes:
        state: Whether the key can be used now.
        source: Where the key is kept; None when there is none.
        origin: The origin the key belongs to (`https://host:port`); None when unknown.
        api_key: The key itself, present only in state `usable`.
        last4: The key's last four characters; None under 12 characters.
        tag: A keyed digest that distinguishes keys without revealing them; part of the
            fingerprint that processes compare.
        problem: Why the state is not `usable`.
        set_us: When the key was stored, in microseconds since the epoch; None for one from the
            environment.
        set_by: Who stored it; `vault` for one that an operator wrote there.
    """

    state: KeyState
    source: KeySource | None = None
    origin: str | None = None
    api_key: SecretStr | None = None
    last4: str | None = None
    tag: str = ""
    problem: Problem | None = None
    set_us: int | None = None
    set_by: str | None = None

    @property
    def key_tag(self) -> str:
        """The tag of the key that calls send; empty where they send none."""
        return self.tag if self.api_key is not None else ""

    def lets_finish(self, api_key: SecretStr, source: KeySource | None) -> bool:
        """Return whether runs that began with a key may go on with it (ADR 026).

        They may while it is in force, and when another of the same source replaced it.
        """
        return self.api_key is not None and (source == self.source or api_key == self.api_key)


ABSENT = Credential(state="absent")


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One connection's active configuration. Ready means: no problems.

    Attributes:
        name: What it is called: its provider's name if it is built in.
        provider: The kind of provider that it leads to.
        source: Who says that it exists: `default` for a built-in one.
        max_tlp: The most restricted label that may go there; None means the policy's.
        options: What is asked of every call.
    """

    name: ConnectionName
    provider: ServingBackend
    source: Source
    model: Sourced[str | None]
    orchestrator_model: Sourced[str | None]
    base_url: Sourced[str | None]
    origin: str | None
    credential: Credential
    problems: tuple[Problem, ...]
    max_tlp: Sourced[Tlp | None] = Sourced(None, "default")
    options: CallOptions = NO_OPTIONS

    @property
    def ready(self) -> bool:
        """Whether calls may be made."""
        return not self.problems

    def model_of(self, role: Role) -> str | None:
        """Return the model that a role uses; None if none is configured."""
        return (self.orchestrator_model if role == "orchestrator" else self.model).value


@dataclass(frozen=True, slots=True)
class Policy:
    """Which data may go where (docs/architecture.md §3.5), and who is asked after a failure.

    Attributes:
        fallbacks: The connections to ask when one fails, in order. Some may not exist here: the
            list may be set before they are, or where another process declares them.
        on_refusal: Whether the local backend is asked what a hosted model refuses.
    """

    hosted_max_tlp: Sourced[Tlp]
    local_backend: Sourced[LocalChoice]
    require_tlp: Sourced[bool]
    fallbacks: Sourced[tuple[ConnectionName, ...]]
    on_refusal: Sourced[OnRefusal]


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits for every model call.

    Attributes:
        timeout: Seconds a call may take; in a stream, seconds until the next piece of the answer.
        max_retries: Retries after a failure that may be temporary.
        max_concurrency: Maximum concurrent calls in this process; None means no limit.
        first_token_timeout: Seconds until a stream's first token, be it a thought.
    """

    timeout: float
    max_retries: int
    max_concurrency: int | None
    first_token_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class SecretStoreStatus:
    """The outcome of the last call to the secret store. `stale_since` is ISO 8601, UTC.

    `token_ending` comes with state `ok`: a static token expires soon.
    """

    kind: Literal["vault", "database"]
    state: Literal["ok", "stale", "unavailable"]
    stale_since: str | None
    problem: StoreProblem | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole configuration at one revision.

    Attributes:
        revision: Counts the changes made at runtime; 0 before the first.
        fingerprint: Digest of the whole active configuration, with keys as tags. Processes with
            the same revision and different fingerprints run different configurations.
        requested: The requested backend; granite resolves `auto`.
        assignments: Who uses another connection than that.
        hosted_traffic: Whether hosted providers may be called, by what is stored.
        stopped_here: The stop by this host's file; None: there is no such file.
        budgets: What may be spent, and by whom.
        clients: The machine clients of the door.
    """

    revision: int
    fingerprint: str
    requested: Sourced[BackendChoice]
    policy: Policy
    limits: CallLimits
    connections: Mapping[ConnectionName, ConnectionConfig]
    secret_store: SecretStoreStatus
    assignments: Assignments = UNASSIGNED
    hosted_traffic: HostedTraffic = ALLOWED
    stopped_here: HostedTraffic | None = None
    budgets: tuple[Limit, ...] = ()
    clients: Clients = NO_CLIENTS

    @property
    def stop(self) -> HostedTraffic | None:
        """The stop of hosted traffic that is in force; None while it is allowed."""
        return self.hosted_traffic if self.hosted_traffic.is_stopped else self.stopped_here
