"""When this process last sent each key, known by the key's tag alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from aurorasoc.core.clock import Clock, now_us

MOST: Final = 64
"""Keys that are remembered between reports: all that are in use, and some that were."""


class KeyUses:
    """Remembers when keys were sent.

    Args:
        clock: Returns the present moment.
    """

    def __init__(self, clock: Clock = now_us) -> None:
        self._clock = clock
        self._sent_us: dict[str, int] = {}

    def note(self, tag: str) -> None:
        """Note that a key leaves now; the empty tag is that of no key."""
        if tag:
            self._sent_us[tag] = self._clock()

    def latest(self) -> dict[str, int]:
        """Return the times of the keys that were sent last, and forget the others."""
        newest = sorted(self._sent_us.items(), key=lambda use: use[1])[-MOST:]
        self._sent_us = dict(newest)
        return dict(newest)

    def last(self, tags: Collection[str]) -> int | None:
        """Return when a key was last sent, by any of its tags; None: not by this process."""
        return last_of(self._sent_us, tags)


def last_of(sent_us: dict[str, int], tags: Collection[str]) -> int | None:
    """Return the latest of some tags' times."""
    return max((sent_us[tag] for tag in tags if tag in sent_us), default=None)


KEY_USES: Final = KeyUses()
"""This process's, as its connections are: whoever sends a key notes it here."""
