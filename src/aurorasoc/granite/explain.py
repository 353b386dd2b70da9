"""Where a label may go, and why: routing, explained without a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from aurorasoc.config.snapshot import ConnectionConfig, Problem, Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Role, Tlp
from aurorasoc.errors import BackendUnavailable, HostedStopped, ProviderNotReady, TlpRefused
from aurorasoc.granite.sensitivity import Route, passage, passage_of_label, route


@dataclass(frozen=True, slots=True)
class Allowed:
    """A connection that a label may go to."""

    connection: ConnectionName
    local: Annotated[bool, Field(description="Only while it is shown to be local.")]
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A connection that a label may not go to."""

    connection: ConnectionName
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a label may go.

    Attributes:
        answers: Who answers now; None if nobody does, and `problem` says why.
        model: The model that answers; None where the connection has none.
        allowed: Who may have the label: whoever answers first.
        refused: Who may not.
    """

    answers: ConnectionName | None
    model: str | None
    problem: Problem | None
    allowed: tuple[Allowed, ...]
    refused: tuple[Refused, ...]


def explain(
    snapshot: Snapshot, tlp: Tlp | None, role: Role = "specialist", agent: str | None = None
) -> Explanation:
    """Say who answers a label, who else may have it, who may not, and why each.

    Nobody is asked: with `auto`, the local backend is the one that was found last. Whether a host
    is local is judged when a call is made.

    Args:
        snapshot: The configuration, in force or planned.
        tlp: The label; None means unlabelled.
        role: The role that asks.
        agent: The agent that asks, if one does.
    """
    problem, chosen = None, None
    try:
        chosen = route(snapshot, tlp, role, agent)
    except (BackendUnavailable, HostedStopped, ProviderNotReady, TlpRefused) as error:
        problem = Problem(error.code, error.detail)
    allowed: list[Allowed] = []
    refused: list[Refused] = []
    for name, config in snapshot.connections.items():
        way, reason = passage(snapshot, config, tlp), _reason(snapshot, config, tlp)
        unlabelled = tlp is None and snapshot.policy.require_tlp.value
        if way in {"stopped", "forbidden"} or unlabelled:
            refused.append(Refused(name, reason))
        elif chosen is not None and chosen.connection == name:
            why = f"{_why(snapshot, chosen, tlp, role, agent)} {reason}"
            allowed.insert(0, Allowed(name, chosen.restricted, why))
        else:
            allowed.append(Allowed(name, way == "local_only", reason))
    answers = None if chosen is None else chosen.connection
    model = None
    if chosen is not None:
        model = chosen.model or snapshot.connections[chosen.connection].model_of(role)
    return Explanation(answers, model, problem, tuple(allowed), tuple(refused))


def _why(snapshot: Snapshot, chosen: Route, tlp: Tlp | None, role: Role, agent: str | None) -> str:
    """Say why a connection answers."""
    match chosen.because:
        case "active":
            return "It is active."
        case "agent":
            return f"It is assigned to the agent {agent}."
        case "role":
            return f"It is assigned to the role {role}."
        case "fallback":
            return "It is a fallback."
        case "replaced":
            assigned = snapshot.assignments.of(role, agent)
            requested = snapshot.requested.value if assigned is None else assigned.connection
            return (
                f"{tlp} data may not go to {requested}; the policy's local backend answers, only "
                "while it is local."
            )


def _reason(snapshot: Snapshot, config: ConnectionConfig, tlp: Tlp | None) -> str:
    """Say what decides whether a label may go to a connection."""
    if tlp is None and snapshot.policy.require_tlp.value:
        return "LLM_REQUIRE_TLP is set: unlabelled data goes nowhere."
    if snapshot.stop is not None and passage_of_label(snapshot, config, tlp) != "forbidden":
        stopped = passage(snapshot, config, tlp) == "stopped"
        return f"Hosted traffic is stopped: {'it is hosted' if stopped else 'only while local'}."
    return "Unlabelled data may go anywhere." if tlp is None else _of_label(snapshot, config, tlp)


def _of_label(snapshot: Snapshot, config: ConnectionConfig, tlp: Tlp) -> str:
    """Say what the ceilings make of a label."""
    ceiling = config.max_tlp.value
    if ceiling is not None:
        relation = "within" if tlp.rank <= ceiling.rank else "above"
        return f"{tlp} is {relation} its own ceiling, {ceiling}."
    most = snapshot.policy.hosted_max_tlp.value
    match passage_of_label(snapshot, config, tlp):
        case "free":
            return f"{tlp} is within the policy's ceiling, {most}."
        case "local_only":
            return f"{tlp} is above the policy's ceiling, {most}: only while it is local."
        case _:
            return f"{tlp} is above the policy's ceiling for hosted providers, {most}."
