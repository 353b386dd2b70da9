"""Which settings differ between two processes at the same revision.

Each process reports a short digest of each setting. At the same revision all read the same stored
configuration, so what differs comes from their environments or seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from aurorasoc.config.settings.connections import variable_prefix
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import BUILT_IN, ServingBackend
from aurorasoc.core.canonical import canonical
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.adoption.fingerprint import digests_of_settings

MOST_SETTINGS: Final = 500
"""Settings that a process reports: those of 60 connections. Further ones differ unnamed."""

MOST_NAMED: Final = 8
"""Differences that are named of one process."""

SEED: Final = "seed"

_CONNECTIONS: Final = "connections"
_IN_ENVIRONMENT: Final = frozenset({"model", "orchestrator_model", "base_url", "api_key"})
_VARIABLES: Final = {
    SEED: "AURORA_SECRET_KEY",
    "backend": "LLM_BACKEND",
    "policy.hosted_max_tlp": "LLM_HOSTED_MAX_TLP",
    "policy.local_backend": "LLM_LOCAL_BACKEND",
    "policy.require_tlp": "LLM_REQUIRE_TLP",
    "policy.fallbacks": "LLM_FALLBACKS",
    "policy.on_refusal": "LLM_ON_REFUSAL",
}
_NAME: Final = r"[a-z_]{1,32}(\.[a-z0-9_-]{1,32}){0,2}"
_REPORT: Final = TypeAdapter(
    Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=f"^{_NAME}$")],
            Annotated[str, Field(max_length=16)],
        ],
        Field(max_length=MOST_SETTINGS),
    ]
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that another process has otherwise than the one that answers.

    Attributes:
        setting: Its name, as in the fingerprint; `connections.<name>` if one of the two doesn't
            have that connection.
        variable: The environment variable that sets it; None if none does.
    """

    setting: Annotated[str, Field(examples=["connections.vllm.base_url"])]
    variable: Annotated[str | None, Field(examples=["LLM_VLLM_BASE_URL"])]


def report_of_settings(snapshot: Snapshot, seed: str) -> str:
    """Return a process's report: JSON, digests by the settings' names.

    Args:
        snapshot: What the process runs.
        seed: The id of the seed that tags its keys; empty if it has none.
    """
    digests = list(digests_of_settings(snapshot).items())
    return canonical(dict([(SEED, seed[:16]), *digests][:MOST_SETTINGS]))


def differences(here: str, there: str | None) -> tuple[Difference, ...]:
    """Return what differs between two reports; nothing if one can't be read.

    Args:
        here: The report of the process that answers.
        there: That of the other; None for one of an earlier version.
    """
    try:
        mine, other = _REPORT.validate_json(here), _REPORT.validate_json(there or "")
    except ValidationError:
        return ()
    whole = max(len(mine), len(other)) < MOST_SETTINGS
    compared = mine.keys() | other.keys() if whole else mine.keys() & other.keys()
    names = sorted(name for name in compared if mine.get(name) != other.get(name))
    named = dict.fromkeys(_named(name, mine, other) for name in _causes(names))
    return tuple(Difference(name, _variable(name)) for name in named)[:MOST_NAMED]


def _causes(names: list[str]) -> list[str]:
    """Leave out what follows from another difference: keys' tags, and connections' problems."""
    if SEED in names:
        return [SEED, *(name for name in names if name != SEED and not _ends(name, "api_key"))]
    kept = [name for name in names if not _ends(name, "problems")]
    explained = {name.rpartition(".")[0] for name in kept}
    return [n for n in names if n in kept or n.rpartition(".")[0] not in explained]


def _ends(name: str, field: str) -> bool:
    return name.startswith(f"{_CONNECTIONS}.") and name.endswith(f".{field}")


def _named(name: str, mine: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return the connection's name where one of the two doesn't have it."""
    connection = name.rpartition(".")[0]
    if not name.startswith(f"{_CONNECTIONS}."):
        return name
    known = f"{connection}.provider"
    return name if known in mine and known in other else connection


def _variable(name: str) -> str | None:
    room, _, rest = name.partition(".")
    if room != _CONNECTIONS:
        return _VARIABLES.get(name)
    connection, _, field = rest.partition(".")
    if connection in BUILT_IN:
        spec = CATALOG[ServingBackend(connection)]
        return spec.variable(field) if field in _IN_ENVIRONMENT else None
    if field in {"options", "problems"}:
        return None
    return variable_prefix(connection) + (field or "provider").upper()
