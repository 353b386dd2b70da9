"""What the page offers to choose from: known services, and the service's own agents."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from aurorasoc.agents.registry import AGENTS
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress

KNOWN: Final = "known.json"
"""The file's name, beside the page's others. It holds nothing that was configured."""


def known_as_json() -> bytes:
    """Return `{"services": …, "agents": …}`: rows of presets, and agents with their roles."""
    known = {
        "services": [_shown(row) for row in KNOWN_ADDRESSES],
        "agents": [{"name": agent.name, "role": agent.role} for agent in AGENTS.values()],
    }
    return json.dumps(known, ensure_ascii=False).encode()


def _shown(row: KnownAddress) -> dict[str, Any]:
    shown = asdict(row)
    del shown["hosts"]
    return shown
