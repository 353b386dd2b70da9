"""A stop of hosted traffic: whom it forbids, and what a refused caller reads."""

from __future__ import annotations

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.snapshot import Problem, Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import HostedStopped
from aurorasoc.granite.catalog import CATALOG

STOP_FILE = "hosted.stop"
"""In the state folder: as long as it is there, this host's processes send nothing."""


def require_not_stopped(snapshot: Snapshot, provider: ServingBackend) -> None:
    """Refuse a hosted provider while hosted traffic is stopped, whatever the label.

    One that may be local passes: each transmission to it has to be shown to be local then.

    Raises:
        HostedStopped: It is stopped.
    """
    stop = snapshot.stop
    if stop is not None and not CATALOG[provider].may_be_local:
        raise refusal(snapshot, stop)


def refusal(snapshot: Snapshot, stop: HostedTraffic) -> HostedStopped:
    """Return the error: who stopped it, since when and why, and how it is allowed again."""
    scope = " of this host" if stop is snapshot.stopped_here else ""
    return HostedStopped(
        f"Hosted traffic{scope} is {stopped_by(stop)}. {release_of(snapshot, stop)}"
    )


def warning_of(snapshot: Snapshot) -> Problem | None:
    """Return what is to be said of a connection whose calls a stop refuses; None: none is."""
    stop = snapshot.stop
    return None if stop is None else Problem("hosted_stopped", refusal(snapshot, stop).detail)


def stopped_by(stop: HostedTraffic) -> str:
    """Say who stopped it, since when and why."""
    return f"stopped{said_by(stop)}"


def said_by(said: HostedTraffic) -> str:
    """Return since when it is so, by whom and why, to follow a word."""
    since = f" since {said.since}" if said.since else ""
    by = f" by {said.by}" if said.by else ""
    why = f" ({said.reason})" if said.reason else ""
    return f"{since}{by}{why}"


def release_of(snapshot: Snapshot, stop: HostedTraffic) -> str:
    """Say how hosted traffic is allowed again."""
    if stop is snapshot.stopped_here:
        how = f"`aurorasoc hosted allow --here --reason …` on that host removes {STOP_FILE}"
        return f"To allow it again, {how}."
    how = "an admin's `aurorasoc hosted allow --reason …` allows it again"
    return f"Local connections go on; {how}."
