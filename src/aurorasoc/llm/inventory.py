"""The inventory: a snapshot as the contract shows it. No key can be in it: none is put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aurorasoc.config.snapshot import Problem, ProviderConfig, Snapshot, Source
from aurorasoc.config.vocabulary import BackendChoice, LocalChoice, ServingBackend, Tlp
from aurorasoc.errors import BackendUnavailable
from aurorasoc.granite.backend_resolution import active_backend
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.traffic import LastCalls


@dataclass(frozen=True, slots=True)
class Active:
    """The backend in force; none while `auto` has found none."""

    backend: ServingBackend | None
    requested: BackendChoice
    source: Source
    model: str | None
    orchestrator_model: str | None
    base_url: str | None
    ready: bool
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """Where labelled data may go."""

    hosted_max_tlp: Tlp
    local_backend: LocalChoice
    require_tlp: bool


@dataclass(frozen=True, slots=True)
class ProviderObservation:
    """What this process knows of a provider beside its configuration.

    Attributes:
        leaves_host: Whether its data leaves the host's networks, judged now.
        last: How its calls ended.
    """

    leaves_host: bool
    last: LastCalls


def inventory_of(
    snapshot: Snapshot, seen: Mapping[ServingBackend, ProviderObservation], stale_since: str | None
) -> dict[str, Any]:
    """Give `GET /system/llm/providers` its answer."""
    return {
        "revision": snapshot.revision,
        "fingerprint": snapshot.fingerprint,
        "stale_since": stale_since,
        "active": active_of(snapshot),
        "policy": policy_of(snapshot),
        "secret_store": asdict(snapshot.secret_store),
        "providers": [provider_row(snapshot, provider, seen[provider]) for provider in CATALOG],
    }


def active_of(snapshot: Snapshot) -> Active:
    """Return the active choice."""
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
        problems=config.problems,
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
    snapshot: Snapshot, provider: ServingBackend, seen: ProviderObservation
) -> dict[str, Any]:
    """One provider's row."""
    spec, config = CATALOG[provider], snapshot.providers[provider]
    return {
        "provider": provider.value,
        "active": _is_active(snapshot, provider),
        "needs_key": spec.needs_key,
        **_key(config),
        "base_url": config.base_url.value,
        "base_url_support": spec.base_url_support,
        "model": config.model.value,
        "orchestrator_model": config.orchestrator_model.value,
        "sources": {
            "model": config.model.source,
            "orchestrator_model": config.orchestrator_model.source,
            "base_url": config.base_url.source,
            "api_key": config.credential.source,
        },
        "data_leaves_host": seen.leaves_host,
        "best_for": spec.best_for,
        "ready": config.ready,
        **_problems(config.problems),
        "last_ok_at": seen.last.ok_at,
        "last_error": asdict(seen.last.error) if seen.last.error else None,
    }


def _key(config: ProviderConfig) -> dict[str, Any]:
    credential = config.credential
    return {
        "key_present": credential.state != "absent",
        "key_last4": credential.last4,
        "key_source": credential.source,
        "key_state": credential.state,
    }


def _is_active(snapshot: Snapshot, provider: ServingBackend) -> bool:
    try:
        return active_backend(snapshot) == provider
    except BackendUnavailable:
        return False


def _problems(problems: tuple[Problem, ...]) -> dict[str, Any]:
    return {"problems": [asdict(problem) for problem in problems]}
