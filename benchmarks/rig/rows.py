"""One measured line: our side, its peer, the ratio, and the bar it is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

_SCALES: Final = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((2**20, "MiB"),),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of all rounds, and the lowest and the highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Sum rounds up."""
        return cls(median(figures), min(figures), max(figures))


@dataclass(frozen=True, slots=True)
class Bar:
    """What a row must not miss.

    Attributes:
        limit: In the row's own unit, or a plain number for a ratio.
        on: What is held to it: ours ÷ peer, their difference, or ours alone.
        at_least: Whether more is better.
    """

    limit: float
    on: Literal["ratio", "difference", "ours"] = "ratio"
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One question's answer.

    Attributes:
        name: What was measured.
        peer: What it was measured against.
        unit: `s`, `B` (bytes) or a rate such as `entries/s`.
        ratio: Ours ÷ peer, taken round by round.
        difference: Ours less peer, taken round by round.
    """

    name: str
    peer: str
    unit: str
    ours: Spread
    theirs: Spread
    ratio: Spread
    difference: Spread
    bar: Bar | None

    @property
    def met(self) -> bool | None:
        """Whether the median clears the bar; None where there is none."""
        if self.bar is None:
            return None
        held: Spread = getattr(self, self.bar.on)
        if self.bar.at_least:
            return held.median >= self.bar.limit
        return held.median <= self.bar.limit

    def cells(self) -> tuple[str, ...]:
        """Return the line as the report shows it."""
        ratio = (
            f"{_plain(self.ratio.median)} × ({_plain(self.ratio.low)}–{_plain(self.ratio.high)})"
        )
        ours, theirs = shown(self.ours.median, self.unit), shown(self.theirs.median, self.unit)
        verdict = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.name, self.peer, ratio, f"{ours} / {theirs}", self._bar(), verdict)

    def _bar(self) -> str:
        if self.bar is None:
            return "none"
        sign = "≥" if self.bar.at_least else "≤"
        if self.bar.on == "ratio":
            return f"{sign} {self.bar.limit:g} ×"
        if self.bar.on == "ours":
            return f"{sign} {shown(self.bar.limit, self.unit)}"
        actual = shown(self.difference.median, self.unit)
        return f"{sign} {shown(self.bar.limit, self.unit)} more (is {actual})"


def row(  # noqa: PLR0913 - a line of the table has as many parts
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    peer: str,
    unit: str = "s",
    bar: Bar | None = None,
) -> Row:
    """Make a line of figures that were taken in pairs."""
    pairs = list(zip(ours, theirs, strict=True))
    return Row(
        name=name,
        peer=peer,
        unit=unit,
        ours=Spread.of(ours),
        theirs=Spread.of(theirs),
        ratio=Spread.of([a / b for a, b in pairs]),
        difference=Spread.of([a - b for a, b in pairs]),
        bar=bar,
    )


def shown(figure: float, unit: str) -> str:
    """Write a figure in a unit that suits its size."""
    for factor, name in _SCALES.get(unit, ()):
        if abs(figure) >= factor:
            return f"{_plain(figure / factor)} {name}"
    return f"{figure:,.0f} {unit}"


def _plain(number: float) -> str:
    """Write three digits that count, and never an exponent."""
    size = abs(number)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{number:.{digits}f}"
