"""How often models decline: a SOC wants to know which one does before it needs an answer.

Counted by this process, for one connection, address and model: another one starts anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.clock import iso
from aurorasoc.errors import Blocked, ModelCallError, Refused
from aurorasoc.granite import ModelReference

MOST: Final = 256
"""Models that a process remembers."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many calls were declined, of those that a model answered or declined.

    Attributes:
        refused: Declined by the model.
        blocked: Stopped by a filter of the provider.
        calls: Answered or declined; what failed otherwise shows nothing of either.
        since: The first of them, ISO 8601 UTC; null before it.
    """

    refused: int = 0
    blocked: int = 0
    calls: Annotated[int, Field(description="Answered or declined, by this process.")] = 0
    since: str | None = None


NONE_DECLINED: Final = Refusals()


class _Asked(NamedTuple):
    connection: ConnectionName
    base_url: str | None
    model: str


@dataclass(frozen=True, slots=True)
class _Count:
    since_us: int
    refused: int = 0
    blocked: int = 0
    calls: int = 0


class RefusalBook:
    """Counts them."""

    def __init__(self) -> None:
        self._counts: dict[_Asked, _Count] = {}

    def note(self, reference: ModelReference, error: ModelCallError | None, at_us: int) -> None:
        """Count a call that was answered, or declined.

        Args:
            reference: The model.
            error: How it failed; None: it was answered.
            at_us: When it ended.
        """
        asked = _Asked(reference.connection, reference.base_url, reference.model)
        count = self._counts.get(asked) or _Count(at_us)
        self._counts[asked] = replace(
            count,
            refused=count.refused + isinstance(error, Refused),
            blocked=count.blocked + isinstance(error, Blocked),
            calls=count.calls + 1,
        )
        if len(self._counts) > MOST:
            del self._counts[next(iter(self._counts))]

    def of(self, config: ConnectionConfig, models: Iterable[str | None]) -> Refusals:
        """Return a connection's refusals.

        Args:
            config: The connection.
            models: Its models that are in use.
        """
        base_url = config.base_url.value
        counts = [
            count
            for model in dict.fromkeys(models)
            if model and (count := self._counts.get(_Asked(config.name, base_url, model)))
        ]
        return Refusals(
            sum(count.refused for count in counts),
            sum(count.blocked for count in counts),
            sum(count.calls for count in counts),
            iso(min((count.since_us for count in counts), default=None)),
        )

    def keep(self, names: Collection[ConnectionName]) -> None:
        """Forget connections that were removed."""
        self._counts = {
            asked: count for asked, count in self._counts.items() if asked.connection in names
        }
