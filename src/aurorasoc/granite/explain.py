"""Where a label may go, and why: routing, explained without a call."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Final

from pydantic import Field

from aurorasoc.config.snapshot import ConnectionConfig, Problem, Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Role, Tlp
from aurorasoc.errors import (
    BackendUnavailable,
    HostedStopped,
    NoModelConfigured,
    ProviderNotReady,
    TlpRefused,
)
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.granite.sensitivity import (
    Route,
    passage,
    passage_of_label,
    passage_of_request,
    route,
)
from aurorasoc.granite.succession import (
    asked_of_refusals,
    fallbacks_of,
    passable,
    successors,
)

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""As many as a list of fallbacks may have."""

_NOT_ASKED: Final = "It isn't a fallback, and isn't asked."
_NO_CALL_FAILS: Final = "It is a fallback, for calls that fail. None is made, so it isn't asked."
_ASKED_OF_REFUSALS: Final = "It is asked what a hosted model refuses, while it is local."


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
        allowed: Who may have the label, in the order in which they are asked: who answers, the
            fallbacks, who is asked what hosted models refuse, and whoever isn't asked.
        refused: Who may not.
    """

    answers: ConnectionName | None
    model: str | None
    problem: Problem | None
    fallbacks: Annotated[
        tuple[ConnectionName, ...],
        Field(description="Who is asked after a failure, in order: those that may have the label."),
    ]
    allowed: tuple[Allowed, ...]
    refused: tuple[Refused, ...]


def explain(
    snapshot: Snapshot, tlp: Tlp | None, role: Role = "specialist", agent: str | None = None
) -> Explanation:
    """Say who answers a label, who is asked after a failure, who may not have it, and why each.

    Nobody is asked: with `auto`, the local backend is the one that was found last. Whether a host
    is local is judged when a call is made.

    Args:
        snapshot: The configuration, in force or planned.
        tlp: The label; None means unlabelled.
        role: The role that asks.
        agent: The agent that asks, if one does.
    """
    asker = (tlp, role, agent)
    problem, chosen = None, None
    following = successors(snapshot, *asker)
    asked: list[tuple[Route, str]] = []
    try:
        chosen = route(snapshot, *asker)
        asked.append((chosen, _why(snapshot, chosen, *asker)))
    except BackendUnavailable as error:
        ready = (one for one in following if _hindrance(snapshot, one, role) is None)
        chosen = next(ready, None)
        problem = None if chosen else Problem(error.code, error.detail)
    except (HostedStopped, ProviderNotReady, TlpRefused) as error:
        problem = Problem(error.code, error.detail)
        following = ()  # nobody is asked in its place
    asked += [
        (one, _why_fallback(snapshot, one, role, ordinal))
        for one, ordinal in zip(following, _ORDINALS, strict=False)
    ]
    names = {one.connection for one, _ in asked}
    others = [config for name, config in snapshot.connections.items() if name not in names]
    local = asked_of_refusals(snapshot, tlp, (one for one, _ in asked))
    fallbacks = fallbacks_of(snapshot, role, agent)
    passing = passable(snapshot, tlp, (config.name for config in others))
    asked += _besides(passing, local, fallbacks if problem else ())
    return Explanation(
        answers=None if chosen is None else chosen.connection,
        model=None if chosen is None else _model(snapshot, chosen, role),
        problem=problem,
        fallbacks=tuple(one.connection for one in following),
        allowed=tuple(_allowed(snapshot, one, why, tlp) for one, why in asked),
        refused=tuple(_refused(snapshot, others, tlp)),
    )


def _besides(
    passing: Iterable[Route], local: ConnectionName | None, idle: Collection[ConnectionName]
) -> Iterator[tuple[Route, str]]:
    """Yield who is asked of refusals, then who isn't asked: `idle` are fallbacks all the same."""
    for one in sorted(passing, key=lambda one: one.connection != local):
        if one.connection == local:
            yield replace(one, restricted=True), _ASKED_OF_REFUSALS
        else:
            yield one, _NO_CALL_FAILS if one.connection in idle else _NOT_ASKED


def _model(snapshot: Snapshot, chosen: Route, role: Role) -> str | None:
    return chosen.model or snapshot.connections[chosen.connection].model_of(role)


def _refused(
    snapshot: Snapshot, configs: Iterable[ConnectionConfig], tlp: Tlp | None
) -> Iterator[Refused]:
    for config in configs:
        if passage_of_request(snapshot, config, tlp) in {"stopped", "forbidden"}:
            yield Refused(config.name, _reason(snapshot, config, tlp))


def _allowed(snapshot: Snapshot, way: Route, why: str, tlp: Tlp | None) -> Allowed:
    reason = _reason(snapshot, snapshot.connections[way.connection], tlp)
    return Allowed(way.connection, way.restricted, f"{why} {reason}")


def _why_fallback(snapshot: Snapshot, way: Route, role: Role, ordinal: str) -> str:
    """Say when a fallback is asked, or why it is skipped."""
    hindrance = _hindrance(snapshot, way, role)
    skipped = "" if hindrance is None else f" It is skipped while it isn't ready: {hindrance}"
    return f"It is the {ordinal} fallback.{skipped}"


def _hindrance(snapshot: Snapshot, way: Route, role: Role) -> str | None:
    """Return why a call there fails before it is made; None: it is made."""
    try:
        model_reference(snapshot, way.connection, role, way.model)
    except (NoModelConfigured, ProviderNotReady) as error:
        return error.detail
    return None


def _why(snapshot: Snapshot, chosen: Route, tlp: Tlp | None, role: Role, agent: str | None) -> str:
    """Say why a connection is asked first, and why it can't answer, if so."""
    hindrance = _hindrance(snapshot, chosen, role)
    unready = "" if hindrance is None else f" It isn't ready: {hindrance}"
    return f"{_why_first(snapshot, chosen, tlp, role, agent)}{unready}"


def _why_first(
    snapshot: Snapshot, chosen: Route, tlp: Tlp | None, role: Role, agent: str | None
) -> str:
    match chosen.because:
        case "agent":
            return f"It is assigned to the agent {agent}."
        case "role":
            return f"It is assigned to the role {role}."
        case "replaced":
            assigned = snapshot.assignments.of(role, agent)
            requested = snapshot.requested.value if assigned is None else assigned.connection
            return (
                f"{tlp} data may not go to {requested}; the policy's local backend answers, only "
                "while it is local."
            )
        case _:
            return "It is active."


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
