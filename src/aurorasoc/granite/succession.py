"""Who is asked after a failure: the fallbacks that a label may go to, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from aurorasoc.config.snapshot import Problem, Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Role, Tlp
from aurorasoc.errors import BackendUnavailable, HostedStopped, ProviderNotReady, TlpRefused
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.sensitivity import Route, local_instead, passage_of_request, route


def fallbacks_of(snapshot: Snapshot, role: Role, agent: str | None) -> tuple[ConnectionName, ...]:
    """Return the configured fallbacks of who asks: an assignment's own, else the policy's.

    Some may not exist in this process.
    """
    assigned = snapshot.assignments.of(role, agent)
    if assigned is not None and assigned.fallbacks is not None:
        return assigned.fallbacks
    return snapshot.policy.fallbacks.value


def successors(
    snapshot: Snapshot, tlp: Tlp | None, role: Role = "specialist", agent: str | None = None
) -> tuple[Route, ...]:
    """Return where a request goes after the first connection failed, in order.

    Neither a label nor a stop forbids any of them; above the policy's ceiling they are asked only
    while they are shown to be local. The first connection isn't among them, and neither are names
    that don't exist in this process. One of them may have problems of its own: `model_reference`
    says so.

    Args:
        snapshot: The configuration.
        tlp: The label of what will be sent; None means unlabelled.
        role: The role that asks.
        agent: The agent that asks, if one does.
    """
    names = fallbacks_of(snapshot, role, agent)
    if not names:
        return ()
    try:
        first = route(snapshot, tlp, role, agent).connection
    except (BackendUnavailable, HostedStopped, ProviderNotReady):
        first = None  # for a run that began elsewhere
    except TlpRefused:
        return ()
    return tuple(passable(snapshot, tlp, (name for name in names if name != first)))


def asked_of_refusals(
    snapshot: Snapshot, tlp: Tlp | None, asked: Iterable[Route]
) -> ConnectionName | None:
    """Return the local connection that is asked what hosted models refuse.

    None: the policy doesn't want that, none of those asked is hosted, or no local one is known now.
    """
    if snapshot.policy.on_refusal.value != "local":
        return None
    for one in asked:
        if not CATALOG[snapshot.connections[one.connection].provider].may_be_local:
            with suppress(BackendUnavailable, TlpRefused):
                return local_instead(snapshot, one.connection, tlp).connection
    return None


def unusable_fallbacks(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return a warning for each fallback that can't be asked: `fallback_unknown`, `…_not_ready`.

    Both may be meant: the environment names a connection that is made, or gets its key, later.
    """
    names = (*snapshot.policy.fallbacks.value, *snapshot.assignments.fallbacks)
    warnings = (_warning(snapshot, name) for name in dict.fromkeys(names))
    return tuple(warning for warning in warnings if warning is not None)


def _warning(snapshot: Snapshot, name: ConnectionName) -> Problem | None:
    config = snapshot.connections.get(name)
    if config is None:
        detail = (
            f"The fallback {name} doesn't exist in this process, and is skipped. Declare it, or "
            "take it off the list."
        )
        return Problem("fallback_unknown", detail)
    if config.ready:
        return None
    why = " ".join(problem.detail for problem in config.problems)
    return Problem("fallback_not_ready", f"The fallback {name} is skipped: {why}")


def passable(
    snapshot: Snapshot, tlp: Tlp | None, names: Iterable[ConnectionName]
) -> Iterator[Route]:
    """Yield the ways to those connections that exist here and that a request may go to."""
    for name in names:
        if name not in snapshot.connections:
            continue
        way = passage_of_request(snapshot, snapshot.connections[name], tlp)
        if way in {"free", "local_only"}:
            yield Route(name, restricted=way == "local_only")
