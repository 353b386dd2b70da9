"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        name: What was checked.
        state: Its state, in a few words.
        cure: What to do, in sentences; None where nothing is to be done.
        healthy: False where something is wrong. A healthy one may have a cure, too: advice.
    """

    name: str
    state: str
    cure: str | None
    healthy: bool

    @property
    def line(self) -> str:
        """What is printed of it."""
        mark = "ok   " if self.healthy else "wrong"
        cure = f". {self.cure}" if self.cure else ""
        return f"{mark} {self.name}: {self.state}{cure}"


def good(name: str, state: str, advice: str | None = None) -> Finding:
    """Return what is found where nothing is wrong."""
    return Finding(name, state, advice, healthy=True)


def wrong(name: str, state: str, cure: str) -> Finding:
    """Return what is found where something is wrong."""
    return Finding(name, state, cure, healthy=False)
