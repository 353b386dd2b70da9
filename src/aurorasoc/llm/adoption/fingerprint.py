"""A short digest that shows whether two processes run the same configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aurorasoc.config.snapshot import Policy, ProviderConfig
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.canonical import canonical


def fingerprint(
    requested: str, policy: Policy, providers: Mapping[ServingBackend, ProviderConfig]
) -> str:
    """Return 16 hex characters of SHA-256 over all that is in force; tags stand for keys."""
    content: dict[str, Any] = {
        "requested": str(requested),
        "policy": [
            str(policy.hosted_max_tlp.value),
            policy.local_backend.value,
            policy.require_tlp.value,
        ],
        "providers": {
            str(p): [
                c.model.value,
                c.orchestrator_model.value,
                c.base_url.value,
                c.origin,
                c.credential.state,
                c.credential.tag,
                [problem.code for problem in c.problems],
            ]
            for p, c in providers.items()
        },
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]
