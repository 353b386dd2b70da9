"""Short digests that show whether two processes run the same configuration, and what differs.

Keys enter by their tags, which are keyed digests; nothing else in a configuration is a secret.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aurorasoc.config.clients import ClientConfig
from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.core.canonical import digest


def fingerprint(snapshot: Snapshot) -> str:
    """Return 16 hex characters of SHA-256 over all that is in force; tags stand for keys."""
    return digest(_settings(snapshot))[:16]


def digests_of_settings(snapshot: Snapshot) -> dict[str, str]:
    """Return a digest of each setting that is in the fingerprint, 8 hex characters by its name.

    Names are `backend`, `policy.<field>`, `assignments`, `hosted_traffic`, `budgets`,
    `clients.<name>` and
    `connections.<name>.<field>`.
    """
    return {name: digest(value)[:8] for name, value in _settings(snapshot).items()}


def _settings(snapshot: Snapshot) -> dict[str, Any]:
    """Return all settings in force, by their names."""
    policy, limits = snapshot.policy, [asdict(one) for one in snapshot.budgets]
    return {
        "backend": snapshot.requested.value,
        "policy.hosted_max_tlp": str(policy.hosted_max_tlp.value),
        "policy.local_backend": policy.local_backend.value,
        "policy.require_tlp": policy.require_tlp.value,
        "policy.fallbacks": policy.fallbacks.value,
        "policy.on_refusal": policy.on_refusal.value,
        "assignments": asdict(snapshot.assignments),
        "hosted_traffic": snapshot.hosted_traffic.state,
        **({"budgets": limits} if limits else {}),
        **{
            f"connections.{name}.{field}": value
            for name, config in snapshot.connections.items()
            for field, value in _connection(config).items()
        },
        **{f"clients.{name}": _client(config) for name, config in snapshot.clients.items()},
    }


def _client(config: ClientConfig) -> list[Any]:
    """Return what a client is; its hashes are keyed, and by themselves open nothing."""
    ends = [str(config.expires_at), str(config.old_until)]
    budget = config.budget and asdict(config.budget)
    secrets = [config.digest, config.old_digest]
    return [config.problem, config.max_tlp, budget, *ends, *secrets]


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
