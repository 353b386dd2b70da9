"""A short digest that shows whether two processes run the same configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aurorasoc.config.assignments import Assignments
from aurorasoc.config.snapshot import ConnectionConfig, Policy
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import canonical


def fingerprint(
    requested: str,
    policy: Policy,
    connections: Mapping[ConnectionName, ConnectionConfig],
    assignments: Assignments,
) -> str:
    """Return 16 hex characters of SHA-256 over all that is in force; tags stand for keys."""
    content: dict[str, Any] = {
        "requested": requested,
        "policy": [
            str(policy.hosted_max_tlp.value),
            policy.local_backend.value,
            policy.require_tlp.value,
            policy.fallbacks.value,
            policy.on_refusal.value,
        ],
        "assignments": asdict(assignments),
        "connections": {
            name: [
                str(c.provider),
                c.model.value,
                c.orchestrator_model.value,
                c.base_url.value,
                c.origin,
                c.credential.state,
                c.credential.tag,
                c.max_tlp.value,
                c.options.as_json(),
                [problem.code for problem in c.problems],
            ]
            for name, c in connections.items()
        },
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]
