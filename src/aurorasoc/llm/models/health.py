"""Whether a connection answers: what its last calls and tests say, in every process.

Known for one address, model and key: a change of any of them starts anew. Only failures that speak
of the provider count; a refused prompt says nothing of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import iso
from aurorasoc.errors import OF_MODEL
from aurorasoc.granite import ModelReference

MOST: Final = 256
"""Subjects that a process remembers, and that it reports."""


class Subject(NamedTuple):
    """What a health is known of."""

    connection: ConnectionName
    base_url: str | None
    model: str
    key_tag: str

    @classmethod
    def of(cls, reference: ModelReference) -> Subject:
        """Return what a call is about."""
        return cls(reference.connection, reference.base_url, reference.model, reference.key_tag)

    @property
    def digest(self) -> str:
        """A name for it that processes can share: 16 hex characters."""
        return hashlib.sha256(canonical(list(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the last calls of one subject ended.

    Attributes:
        code: The failure's code; None while it answers.
        since_us: Since when they have ended so.
        seen_us: When the last one did.
    """

    code: str | None
    since_us: int
    seen_us: int

    def then(self, code: str | None, at_us: int) -> Standing:
        """Return how they stand after one more call."""
        same = (code is None) == (self.code is None)
        return Standing(code, self.since_us if same else at_us, at_us)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a connection answers.

    Attributes:
        state: `unknown`: not called yet with this address, model and key.
        since: Since when, ISO 8601 UTC; null while unknown.
        code: What fails; null otherwise.
    """

    state: Annotated[
        Literal["unknown", "ok", "failing"],
        Field(description="`unknown`: not called yet with this address, model and key."),
    ]
    since: str | None = None
    code: str | None = None


UNKNOWN: Final = Health("unknown")


class HealthBook:
    """What this process, and the others of the fleet, know."""

    def __init__(self) -> None:
        self._standings: dict[Subject, Standing] = {}
        self._others: Mapping[str, tuple[Standing, ...]] = {}

    def note(self, subject: Subject, code: str | None, at_us: int) -> bool:
        """Note how a call ended; return whether that changes how the subject stands."""
        before = self._standings.pop(subject, None)
        after = Standing(code, at_us, at_us) if before is None else before.then(code, at_us)
        self._standings[subject] = after
        if len(self._standings) > MOST:
            del self._standings[next(iter(self._standings))]
        return before is None or before.code != code

    def of(self, config: ConnectionConfig, models: Iterable[str | None]) -> Health:
        """Return a connection's health.

        Args:
            config: The connection.
            models: Its models that are in use.
        """
        base_url, tag = config.base_url.value, config.credential.key_tag
        known = (
            self._merged(Subject(config.name, base_url, model, tag))
            for model in dict.fromkeys(models)
            if model is not None
        )
        return health_of([standing for standing in known if standing is not None])

    def subjects(self) -> tuple[str, ...]:
        """Name what this process has called, by the subjects' digests."""
        return tuple(subject.digest for subject in self._standings)

    def report(self) -> str | None:
        """Return what this process knows, as JSON; None before the first call."""
        rows = [
            [subject.digest, one.code, one.since_us, one.seen_us]
            for subject, one in self._standings.items()
        ]
        return canonical(rows) if rows else None

    def hear(self, reports: Iterable[str]) -> None:
        """Replace what is known of the other processes by what they report now."""
        self._others = _others_of(reports)

    def _merged(self, subject: Subject) -> Standing | None:
        mine = self._standings.get(subject)
        others = self._others.get(subject.digest, ()) if self._others else ()
        return merged((*others, mine) if mine is not None else others)


def merged(standings: Iterable[Standing]) -> Standing | None:
    """Return what several processes know of one subject: the last call decides."""
    known = sorted(standings, key=lambda one: one.seen_us)
    if not known:
        return None
    newest = known[-1]
    unlike = [one.seen_us for one in known if (one.code is None) != (newest.code is None)]
    like = [one.since_us for one in known if (one.code is None) == (newest.code is None)]
    began = [since for since in like if since > max(unlike, default=-1)]
    return replace(newest, since_us=min(began, default=newest.since_us))


def health_of(standings: Iterable[Standing]) -> Health:
    """Return a connection's health from what is known of its models.

    The last call decides; but a model that fails for a reason of its own fails on.
    """
    known = sorted(standings, key=lambda one: one.seen_us)
    if not known:
        return UNKNOWN
    decides = known[-1]
    failing = [one for one in known if one.code in OF_MODEL]
    if decides.code is None and failing:
        decides = failing[-1]
    state: Literal["ok", "failing"] = "ok" if decides.code is None else "failing"
    return Health(state, iso(decides.since_us), decides.code)


_Code = Annotated[str, Field(max_length=64)]
_Time = Annotated[int, Field(ge=0, lt=2**62)]
_REPORT: Final = TypeAdapter(
    Annotated[
        list[tuple[Annotated[str, Field(max_length=16)], _Code | None, _Time, _Time]],
        Field(max_length=MOST),
    ]
)


def _others_of(reports: Iterable[str]) -> dict[str, tuple[Standing, ...]]:
    """Read what other processes report, by the subjects' digests; skip what can't be read."""
    known: dict[str, tuple[Standing, ...]] = {}
    for report in reports:
        try:
            rows = _REPORT.validate_json(report)
        except ValidationError:
            continue
        for digest, code, since_us, seen_us in rows:
            standing = Standing(code, since_us, seen_us)
            known[digest] = (*known.get(digest, ()), standing)
    return known
