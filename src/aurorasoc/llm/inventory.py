"""The inventory: a snapshot as the API shows it. It never holds a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import Field

from aurorasoc.config.snapshot import (
    KeySource,
    KeyState,
    Problem,
    SecretStoreStatus,
    Snapshot,
    Source,
)
from aurorasoc.config.vocabulary import BackendChoice, LocalChoice, ServingBackend, Tlp
from aurorasoc.core.clock import iso
from aurorasoc.errors import BackendUnavailable
from aurorasoc.granite.backend_resolution import active_backend
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.facts import ModelFacts
from aurorasoc.llm.models.provider_models import ProviderModels
from aurorasoc.llm.models.retirement import Retirements
from aurorasoc.llm.models.traffic import LastCalls, LastError
from aurorasoc.llm.wire.asking.learned import Capabilities

_NONE: Final = Retirements()


@dataclass(frozen=True, slots=True)
class Active:
    """The backend in force; null while `auto` has found none."""

    backend: ServingBackend | None
    requested: BackendChoice
    source: Source
    model: str | None
    orchestrator_model: str | None
    base_url: str | None
    ready: bool
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyView:
    """Where labelled data may go."""

    hosted_max_tlp: Tlp
    local_backend: LocalChoice
    require_tlp: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each value comes from."""

    model: Source
    orchestrator_model: Source
    base_url: Source
    api_key: KeySource | None


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One provider's row."""

    provider: ServingBackend
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
        tuple[Problem, ...], Field(description="What to do soon; calls are made all the same.")
    ]
    last_ok_at: str | None
    last_error: LastError | None
    capabilities: Capabilities | None
    model_facts: ModelFacts | None
    orchestrator_model_facts: ModelFacts | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All providers, the active choice, the policy, and the state of the stores."""

    revision: int
    fingerprint: str
    stale_since: Annotated[str | None, Field(description="Since when the database doesn't answer.")]
    active: Active
    policy: PolicyView
    secret_store: SecretStoreStatus
    providers: tuple[ProviderView, ...]


@dataclass(frozen=True, slots=True)
class ProviderObservation:
    """What this process knows of a provider besides its configuration.

    Attributes:
        leaves_host: Whether data sent to it leaves the host's networks now.
        last: How its last calls ended.
        capabilities: What a test found its model to do; None if it wasn't tested.
        models: What its models are.
        warnings: What to do soon, besides what is to be said of its models.
    """

    leaves_host: bool
    last: LastCalls
    capabilities: Capabilities | None = None
    models: ProviderModels = field(default_factory=ProviderModels)
    warnings: tuple[Problem, ...] = ()


def inventory_of(
    snapshot: Snapshot,
    observed: Mapping[ServingBackend, ProviderObservation],
    stale_since: str | None,
) -> Inventory:
    """Return what `GET /system/llm/providers` answers."""
    active = active_of(snapshot)
    if active.backend is not None:
        seen = observed[active.backend]
        active = active_of(snapshot, seen.models.retirements, seen.warnings)
    return Inventory(
        revision=snapshot.revision,
        fingerprint=snapshot.fingerprint,
        stale_since=stale_since,
        active=active,
        policy=policy_of(snapshot),
        secret_store=snapshot.secret_store,
        providers=tuple(provider_row(snapshot, name, observed[name]) for name in CATALOG),
    )


def active_of(
    snapshot: Snapshot, retirements: Retirements = _NONE, warnings: tuple[Problem, ...] = ()
) -> Active:
    """Return the active choice.

    Args:
        snapshot: The configuration.
        retirements: What is to be said of its backend's models.
        warnings: What else to do soon.
    """
    requested = snapshot.requested
    try:
        backend = active_backend(snapshot)
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
    config = snapshot.providers[backend]
    return Active(
        backend=backend,
        requested=requested.value,
        source=requested.source,
        model=config.model.value,
        orchestrator_model=config.orchestrator_model.value,
        base_url=config.base_url.value,
        ready=config.ready,
        problems=config.problems + retirements.problems,
        warnings=warnings + retirements.warnings,
    )


def policy_of(snapshot: Snapshot) -> PolicyView:
    """Return the sensitivity policy in force."""
    policy = snapshot.policy
    return PolicyView(
        hosted_max_tlp=policy.hosted_max_tlp.value,
        local_backend=policy.local_backend.value,
        require_tlp=policy.require_tlp.value,
    )


def provider_row(
    snapshot: Snapshot, provider: ServingBackend, observed: ProviderObservation
) -> ProviderView:
    """Return one provider's row."""
    spec, config = CATALOG[provider], snapshot.providers[provider]
    credential = config.credential
    return ProviderView(
        provider=provider,
        active=_is_active(snapshot, provider),
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
        capabilities=observed.capabilities,
        model_facts=observed.models.specialist,
        orchestrator_model_facts=observed.models.orchestrator,
    )


def _is_active(snapshot: Snapshot, provider: ServingBackend) -> bool:
    try:
        return active_backend(snapshot) == provider
    except BackendUnavailable:
        return False
