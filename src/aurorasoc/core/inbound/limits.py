"""Limits on what one process serves at once: to each caller, and to all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aurorasoc.errors import RateLimited

_RETRY_AFTER = 60


class CallerLimit:
    """Limits things of one kind that are under way.

    Args:
        most: For all callers together.
        most_each: For one principal.
        things: What they are, in the plural.
    """

    def __init__(self, most: int, most_each: int, things: str = "streams") -> None:
        self._most = most
        self._most_each = most_each
        self._things = things
        self._open: Counter[str] = Counter()

    def take(self, subject: str | None) -> None:
        """Count one more; None is everybody, where nobody signs in: only the total counts.

        Raises:
            RateLimited: Either limit is reached.
        """
        if self._open.total() >= self._most:
            detail = f"{self._most} {self._things} are open in this process. Try again in a while."
            raise RateLimited(detail, retry_after=_RETRY_AFTER)
        if subject is not None and self._open[subject] >= self._most_each:
            detail = (
                f"You have {self._most_each} {self._things} open in this process. Close one first."
            )
            raise RateLimited(detail, retry_after=_RETRY_AFTER)
        self._open[subject or ""] += 1

    def leave(self, subject: str | None) -> None:
        """Count one less."""
        name = subject or ""
        self._open[name] -= 1
        if self._open[name] <= 0:
            del self._open[name]

    @contextmanager
    def taken(self, subject: str | None) -> Iterator[None]:
        """Count one while the block runs.

        Raises:
            RateLimited: Either limit is reached.
        """
        self.take(subject)
        try:
            yield
        finally:
            self.leave(subject)
