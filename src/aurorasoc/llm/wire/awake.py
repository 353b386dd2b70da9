"""A process that was frozen sends nothing until it knows what has changed meanwhile.

A suspended process that wakes would go on where it stood: between the judgement of a call and its
first byte, for one. So our transport asks at each write, and each new connection.
"""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Knows whether this process is up to date."""

    def is_behind(self) -> bool:
        """Whether it was frozen, or a stop hasn't come into force yet. Must not block."""

    async def caught_up(self) -> None:
        """Wait until it is up to date; whoever is refused then is cancelled meanwhile."""


class _Current:
    watch: Watch | None = None


def follow(watch: Watch | None) -> None:
    """Ask this watch from now on; None: nobody."""
    _Current.watch = watch


async def require_awake() -> None:
    """Wait until this process is up to date. Costs less than a microsecond if it is."""
    watch = _Current.watch
    if watch is not None and watch.is_behind():
        await watch.caught_up()
