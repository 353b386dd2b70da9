"""What a change lets data do that it may not do now, in sentences. Pure.

A connection that is new without a ceiling of its own widens nothing: the policy decides, as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import AUTO, LOCAL_BACKENDS, ConnectionName, Tlp
from aurorasoc.granite.sensitivity import Passage, passage_of_request
from aurorasoc.llm.changes.uses import uses_of

_ASKED: Final = (None, *(label for label in Tlp if label is not Tlp.NONE))
"""No label, then each of them."""

_SENTENCES: Final[dict[tuple[Passage, Passage], str]] = {
    ("forbidden", "free"): "{} may then go to {}. Now it may not.",
    ("forbidden", "local_only"): "{} may then go to {}, while the server is local. Now it may not.",
    (
        "local_only",
        "free",
    ): "{} may then go to {} wherever the server is. Now only while it is local.",
}
"""From how labels may go to a connection now, to how they may then."""

Step = tuple[Passage, Passage, tuple[Tlp | None, ...]]
"""How some labels may go to a connection before a change, and after it."""


def widening_of(before: Snapshot, after: Snapshot) -> list[str]:
    """Say which labels may go where after a change that may not now, and which data moves."""
    return [*_newly_allowed(before, after), *_moved(before, after)]


def _newly_allowed(before: Snapshot, after: Snapshot) -> Iterator[str]:
    alike: dict[Step, list[ConnectionName]] = {}
    for name, config in after.connections.items():
        present = before.connections.get(name)
        if present is None and config.max_tlp.value is None:
            continue
        for step in _steps(before, present, after, config):
            alike.setdefault(step, []).append(name)
    for (was, will_be, labels), names in alike.items():
        words = _listed(label or "unlabelled" for label in labels)
        yield _SENTENCES[was, will_be].format(f"Data that is {words}", _listed(names, "and"))


def _steps(
    before: Snapshot, present: ConnectionConfig | None, after: Snapshot, config: ConnectionConfig
) -> Iterator[Step]:
    """Yield each way in which labels may travel further, with these labels."""
    ways = {tlp: (_way(before, present, tlp), _way(after, config, tlp)) for tlp in _ASKED}
    for was, will_be in _SENTENCES:
        labels = tuple(tlp for tlp, way in ways.items() if way == (was, will_be))
        if labels:
            yield was, will_be, labels


def _way(snapshot: Snapshot, config: ConnectionConfig | None, tlp: Tlp | None) -> Passage:
    """Return how a label may go to a connection; one that doesn't exist gets nothing."""
    return "forbidden" if config is None else passage_of_request(snapshot, config, tlp)


def _moved(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Yield where the data of connections in use goes, if that is another address."""
    for name, config in after.connections.items():
        present = before.connections.get(name)
        if present is None or present.origin == config.origin or not config.origin:
            continue
        if _in_use(before, name) and _in_use(after, name):
            yield f"Data for {name} then goes to {config.origin}. Now it goes to {_place(present)}."


def _in_use(snapshot: Snapshot, name: ConnectionName) -> bool:
    """Whether somebody uses a connection; `auto` may use each of the local backends."""
    automatic = snapshot.requested.value == AUTO and name in LOCAL_BACKENDS
    return automatic or bool(uses_of(snapshot, name))


def _place(config: ConnectionConfig) -> str:
    return config.origin or "no address"


def _listed(names: Iterable[str], word: str = "or") -> str:
    """Return "A", "A or B", "A, B or C"."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
