"""Short digests that show whether two processes run the same configuration, and what differs.

Keys enter by their tags, which are keyed digests; nothing else in a configuration is a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aurorasoc.config.assignments import Assignments
from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.snapshot import ConnectionConfig, Policy, Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import digest


def fingerprint(
    requested: str,
    policy: Policy,
    connections: Mapping[ConnectionName, ConnectionConfig],
    assignments: Assignments,
    hosted_traffic: HostedTraffic,
) -> str:
    """Return 16 hex characters of SHA-256 over all that is in force; tags stand for keys."""
    return digest(_settings(requested, policy, connections, assignments, hosted_traffic))[:16]


def digests_of_settings(snapshot: Snapshot) -> dict[str, str]:
    """Return a digest of each setting that is in the fingerprint, 8 hex characters by its name.

    Names are `backend`, `policy.<field>`, `assignments`, `hosted_traffic` and
    `connections.<name>.<field>`.
    """
    settings = _settings(
        snapshot.requested.value,
        snapshot.policy,
        snapshot.connections,
        snapshot.assignments,
        snapshot.hosted_traffic,
    )
    return {name: digest(value)[:8] for name, value in settings.items()}


def _settings(
    requested: str,
    policy: Policy,
    connections: Mapping[ConnectionName, ConnectionConfig],
    assignments: Assignments,
    hosted_traffic: HostedTraffic,
) -> dict[str, Any]:
    """Return all settings in force, by their names."""
    return {
        "backend": requested,
        "policy.hosted_max_tlp": str(policy.hosted_max_tlp.value),
        "policy.local_backend": policy.local_backend.value,
        "policy.require_tlp": policy.require_tlp.value,
        "policy.fallbacks": policy.fallbacks.value,
        "policy.on_refusal": policy.on_refusal.value,
        "assignments": asdict(assignments),
        "hosted_traffic": hosted_traffic.state,
        **{
            f"connections.{name}.{field}": value
            for name, config in connections.items()
            for field, value in _connection(config).items()
        },
    }


def _connection(config: ConnectionConfig) -> dict[str, Any]:
    return {
        "provider": str(config.provider),
        "model": config.model.value,
        "orchestrator_model": config.orchestrator_model.value,
        "base_url": [config.base_url.value, config.origin],
        "api_key": [config.credential.state, config.credential.tag],
        "max_tlp": config.max_tlp.value,
        "options": config.options.as_json(),
        "problems": [problem.code for problem in config.problems],
    }
