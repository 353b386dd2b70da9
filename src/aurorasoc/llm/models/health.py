"""Whether a connection answers: what its last calls and tests say, in every process.

Known for one address, model and key: a change of any of them starts anew. Only failures that speak
of the provider count; a refused prompt says nothing of it. While a process's breaker is open it
doesn't ask the connection, and says so to the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import canonical, digest
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.errors import OF_MODEL
from aurorasoc.granite import ModelReference
from aurorasoc.llm.models.breakers import Breakers, Way
from aurorasoc.llm.wire.breaker import Breaker

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
        return digest(list(self))[:16]


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
        state: `unknown`: not called yet with this address, model and key. `open`: it failed so
            often that it isn't asked for a while; `probing`: one call at a time asks again.
        since: Since when, ISO 8601 UTC; null while unknown.
        code: What fails; null otherwise.
        open_in: Processes whose breaker isn't closed; some may get answers meanwhile.
        processes: Live processes that are known of.
    """

    state: Annotated[
        Literal["unknown", "ok", "failing", "open", "probing"],
        Field(
            description="`unknown`: not called yet with this address, model and key. `open`: it "
            "failed so often that it isn't asked for a while; `probing`: one call asks again."
        ),
    ]
    since: str | None = None
    code: str | None = None
    open_in: Annotated[int, Field(description="Processes that don't ask it for a while.")] = 0
    processes: Annotated[int, Field(description="Live processes that are known of.")] = 1

    @property
    def where(self) -> str:
        """Say in how many processes it isn't asked, where there are several; else nothing."""
        if self.processes == 1 or not self.open_in:
            return ""
        return f" in {self.open_in} of {self.processes} processes"


UNKNOWN: Final = Health("unknown")


class HealthBook:
    """What this process, and the others of the fleet, know.

    Args:
        breakers: This process's.
        clock: When its report is made.
    """

    def __init__(self, breakers: Breakers | None = None, clock: Clock = now_us) -> None:
        self._breakers = breakers or Breakers()
        self._clock = clock
        self._standings: dict[Subject, Standing] = {}
        self._others: Mapping[str, tuple[Standing, ...]] = {}
        self._processes = 1

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
        health = health_of([standing for standing in known if standing is not None])
        return with_breakers(health, self._openings(config), self._processes)

    def subjects(self) -> tuple[str, ...]:
        """Name what this process has called, by the subjects' digests."""
        return tuple(subject.digest for subject in self._standings)

    def report(self, *, openings: bool = True) -> str | None:
        """Return what this process knows, as JSON; None before the first call.

        Args:
            openings: Whether to say which breakers aren't closed.
        """
        rows = [(subject.digest, one) for subject, one in self._standings.items()]
        if openings:
            rows = [*rows, *self._own_openings()][-MOST:]
        shown = [[digest, one.code, one.since_us, one.seen_us] for digest, one in rows]
        return canonical(shown) if shown else None

    def hear(self, reports: Iterable[str], processes: int = 1) -> None:
        """Replace what is known of the others by what they report now.

        Args:
            reports: Theirs.
            processes: Live processes, this one included if it is one.
        """
        self._others = _others_of(reports)
        self._processes = processes

    def _own_openings(self) -> list[tuple[str, Standing]]:
        at_us = self._clock()
        known = ((way, opening_of(one, at_us)) for way, one in self._breakers.not_closed())
        return [(way.digest, standing) for way, standing in known if standing is not None][:MOST]

    def _openings(self, config: ConnectionConfig) -> list[Standing]:
        """Return how each process stands whose breaker isn't closed."""
        mine = opening_of(self._breakers.to(config), self._clock())
        digest = Way.to(config).digest if self._others else ""
        others = self._others.get(digest, ())
        return [*others, *([] if mine is None else [mine])]

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


def opening_of(breaker: Breaker | None, at_us: int) -> Standing | None:
    """Return how a breaker stands that isn't closed, in the form of what else is reported.

    Its code has the breaker's state before it. Processes of earlier versions don't know its digest,
    and so ignore it.
    """
    opening = None if breaker is None else breaker.opening
    if breaker is None or opening is None:
        return None
    return Standing(f"{breaker.state}:{opening.leaf.code}", opening.since_us, at_us)


def with_breakers(health: Health, openings: Sequence[Standing], processes: int) -> Health:
    """Return a connection's health with what the breakers say that aren't closed.

    Where the last call of all was answered, it answers, though some processes don't ask it yet.
    """
    health = replace(health, open_in=len(openings), processes=processes)
    if not openings or health.state == "ok":
        return health
    states = [(one.code or "").partition(":") for one in openings]
    is_open = any(state == "open" for state, _, _ in states)
    newest = max(zip(openings, states, strict=True), key=lambda pair: pair[0].seen_us)
    return replace(
        health,
        state="open" if is_open else "probing",
        since=iso(min(one.since_us for one in openings)),
        code=newest[1][2],
    )


def open_in(
    report: str | None, connections: Mapping[ConnectionName, ConnectionConfig]
) -> tuple[ConnectionName, ...]:
    """Name the connections that a process doesn't ask for a while, by its report.

    Args:
        report: What it reports.
        connections: As they are configured: with another address or key they are others.
    """
    if not report or not any(f'"{state}:' in report for state in ("open", "probing")):
        return ()
    known = _others_of([report])
    return tuple(name for name, config in connections.items() if Way.to(config).digest in known)


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
        for subject, code, since_us, seen_us in rows:
            standing = Standing(code, since_us, seen_us)
            known[subject] = (*known.get(subject, ()), standing)
    return known
