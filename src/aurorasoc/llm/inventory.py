"""The inventory: a snapshot as the API shows it. It never holds a key."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aurorasoc.config.assignments import Assignments
from aurorasoc.config.call_options import CallOptions
from aurorasoc.config.fallbacks import OnRefusal
from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.snapshot import (
    KeySource,
    KeyState,
    Problem,
    SecretStoreStatus,
    Snapshot,
    Source,
)
from aurorasoc.config.vocabulary import (
    BackendChoice,
    ConnectionName,
    LocalChoice,
    ServingBackend,
    Tlp,
)
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso
from aurorasoc.errors import BackendUnavailable
from aurorasoc.granite.backend_resolution import active_connection
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.succession import unusable_fallbacks
from aurorasoc.llm.models.declined import Refusals
from aurorasoc.llm.models.facts import ModelFacts
from aurorasoc.llm.models.health import Health
from aurorasoc.llm.models.traffic import LastError
from aurorasoc.llm.observe import Observation
from aurorasoc.llm.wire.asking.learned import Capabilities


@dataclass(frozen=True, slots=True)
class Active:
    """The connection in force; null while `auto` has found none."""

    backend: ConnectionName | None
    requested: BackendChoice
    source: Source
    model: str | None
    orchestrator_model: str | None
    base_url: str | None
    ready: bool
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicySources:
    """Where each value of the policy comes from."""

    hosted_max_tlp: Source
    local_backend: Source
    require_tlp: Source
    fallbacks: Source
    on_refusal: Source


@dataclass(frozen=True, slots=True)
class PolicyView:
    """Where labelled data may go, and who is asked after a failure or a refusal."""

    hosted_max_tlp: Tlp
    local_backend: LocalChoice
    require_tlp: bool
    fallbacks: Annotated[
        tuple[ConnectionName, ...], Field(description="Who is asked after a failure, in order.")
    ]
    on_refusal: Annotated[
        OnRefusal, Field(description="`local`: what a hosted model refuses is asked there, once.")
    ]
    sources: PolicySources
    warnings: Annotated[
        tuple[Problem, ...], Field(description="Fallbacks that are skipped, the assignments', too.")
    ]


@dataclass(frozen=True, slots=True)
class HostedTrafficView(HostedTraffic):
    """Whether hosted providers may be called, as it is in force in this process."""

    here: Annotated[bool, Field(description="Whether a file on this host stops it.")] = False
    everywhere: Annotated[
        bool, Field(description="Whether what is stored stops it. REST can allow that, not a file.")
    ] = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each value comes from."""

    model: Source
    orchestrator_model: Source
    base_url: Source
    api_key: KeySource | None


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One connection's row."""

    connection: ConnectionName
    provider: Annotated[ServingBackend, Field(description="The kind of provider it leads to.")]
    source: Annotated[Source, Field(description="Who declares it; `default`: it is built in.")]
    max_tlp: Annotated[Tlp | None, Field(description="Its own ceiling; null: the policy's.")]
    options: CallOptions
    active: bool
    needs_key: bool
    key_present: bool
    key_last4: str | None
    key_source: KeySource | None
    key_state: KeyState
    key_set_at: Annotated[
        str | None, Field(description="When the key was stored; null for the environment's.")
    ]
    key_set_by: Annotated[
        str | None, Field(description="Who stored it; `vault`: an operator, directly there.")
    ]
    base_url: str | None
    base_url_support: Literal["none", "optional", "required"]
    model: str | None
    orchestrator_model: str | None
    sources: Sources
    data_leaves_host: bool
    best_for: str
    ready: bool
    problems: tuple[Problem, ...]
    warnings: Annotated[
        tuple[Problem, ...],
        Field(description="What to do soon. Calls are made, unless hosted traffic is stopped."),
    ]
    last_ok_at: str | None
    last_error: LastError | None
    health: Annotated[Health, Field(description="What the calls and tests of all processes say.")]
    refusals: Annotated[Refusals, Field(description="How often its models declined, here.")]
    capabilities: Capabilities | None
    model_facts: ModelFacts | None
    orchestrator_model_facts: ModelFacts | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All connections, the active choice, the policy, and the state of the stores."""

    __pydantic_config__: ClassVar = DEFERRED

    revision: int
    fingerprint: str
    stale_since: Annotated[str | None, Field(description="Since when the database doesn't answer.")]
    active: Active
    policy: PolicyView
    secret_store: SecretStoreStatus
    providers: tuple[ConnectionView, ...]
    assignments: Assignments
    hosted_traffic: HostedTrafficView


def inventory_of(
    snapshot: Snapshot,
    observed: Mapping[ConnectionName, Observation],
    stale_since: str | None,
) -> Inventory:
    """Return what `GET /system/llm/providers` answers."""
    return Inventory(
        revision=snapshot.revision,
        fingerprint=snapshot.fingerprint,
        stale_since=stale_since,
        active=active_of(snapshot, observed),
        policy=policy_of(snapshot),
        secret_store=snapshot.secret_store,
        providers=tuple(
            connection_row(snapshot, name, observed[name]) for name in snapshot.connections
        ),
        assignments=snapshot.assignments,
        hosted_traffic=hosted_traffic_of(snapshot),
    )


def hosted_traffic_of(snapshot: Snapshot) -> HostedTrafficView:
    """Return whether hosted providers may be called, and who said so."""
    shown = snapshot.stop or snapshot.hosted_traffic
    return HostedTrafficView(
        **asdict(shown),
        here=snapshot.stopped_here is not None,
        everywhere=snapshot.hosted_traffic.is_stopped,
    )


def active_of(snapshot: Snapshot, observed: Mapping[ConnectionName, Observation]) -> Active:
    """Return the active choice, with what is to be said of its key and its models."""
    requested = snapshot.requested
    try:
        backend = active_connection(snapshot)
    except BackendUnavailable as error:
        problem = Problem(error.code, error.detail)
        return Active(
            backend=None,
            requested=requested.value,
            source=requested.source,
            model=None,
            orchestrator_model=None,
            base_url=None,
            ready=False,
            problems=(problem,),
        )
    config, seen = snapshot.connections[backend], observed[backend]
    return Active(
        backend=backend,
        requested=requested.value,
        source=requested.source,
        model=config.model.value,
        orchestrator_model=config.orchestrator_model.value,
        base_url=config.base_url.value,
        ready=config.ready,
        problems=config.problems + seen.models.retirements.problems,
        warnings=seen.warnings + seen.models.retirements.warnings,
    )


def policy_of(snapshot: Snapshot) -> PolicyView:
    """Return the sensitivity policy in force."""
    policy = snapshot.policy
    return PolicyView(
        hosted_max_tlp=policy.hosted_max_tlp.value,
        local_backend=policy.local_backend.value,
        require_tlp=policy.require_tlp.value,
        fallbacks=policy.fallbacks.value,
        on_refusal=policy.on_refusal.value,
        sources=PolicySources(
            hosted_max_tlp=policy.hosted_max_tlp.source,
            local_backend=policy.local_backend.source,
            require_tlp=policy.require_tlp.source,
            fallbacks=policy.fallbacks.source,
            on_refusal=policy.on_refusal.source,
        ),
        warnings=unusable_fallbacks(snapshot),
    )


def connection_row(
    snapshot: Snapshot, name: ConnectionName, observed: Observation
) -> ConnectionView:
    """Return one connection's row."""
    config = snapshot.connections[name]
    spec = CATALOG[config.provider]
    credential = config.credential
    return ConnectionView(
        connection=name,
        provider=config.provider,
        source=config.source,
        max_tlp=config.max_tlp.value,
        options=config.options,
        active=active_name(snapshot) == name,
        needs_key=spec.needs_key,
        key_present=credential.state != "absent",
        key_last4=credential.last4,
        key_source=credential.source,
        key_state=credential.state,
        key_set_at=iso(credential.set_us),
        key_set_by=credential.set_by,
        base_url=config.base_url.value,
        base_url_support=spec.base_url_support,
        model=config.model.value,
        orchestrator_model=config.orchestrator_model.value,
        sources=Sources(
            model=config.model.source,
            orchestrator_model=config.orchestrator_model.source,
            base_url=config.base_url.source,
            api_key=credential.source,
        ),
        data_leaves_host=observed.leaves_host,
        best_for=spec.best_for,
        ready=config.ready,
        problems=config.problems + observed.models.retirements.problems,
        warnings=observed.warnings + observed.models.retirements.warnings,
        last_ok_at=observed.last.ok_at,
        last_error=observed.last.error,
        health=observed.health,
        refusals=observed.refusals,
        capabilities=observed.capabilities,
        model_facts=observed.models.specialist,
        orchestrator_model_facts=observed.models.orchestrator,
    )


def active_name(snapshot: Snapshot) -> ConnectionName | None:
    """Return the active connection's name; None while `auto` has found none."""
    with suppress(BackendUnavailable):
        return active_connection(snapshot)
    return None
