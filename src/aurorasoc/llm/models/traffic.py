"""How each provider's last production calls ended. In memory, for this process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.errors import ModelCallError
from aurorasoc.granite import ModelReference


@dataclass(frozen=True, slots=True)
class LastError:
    """Code, text and time of the last failure."""

    code: str
    detail: str
    at: str | None


@dataclass(frozen=True, slots=True)
class LastCalls:
    """One connection's last success and last failure."""

    ok_at: str | None = None
    error: LastError | None = None


class TrafficLedger:
    """Remembers the last success and the last failure of each connection."""

    def __init__(self, clock: Clock = now_us) -> None:
        self._clock = clock
        self.counts: Counter[tuple[ConnectionName, str]] = Counter()
        self._last: dict[ConnectionName, LastCalls] = {}

    def of(self, connection: ConnectionName) -> LastCalls:
        """Return how a connection's last calls ended."""
        return self._last.get(connection, LastCalls())

    def succeeded(self, reference: ModelReference) -> None:
        """Record an answered call; it clears an earlier failure."""
        self.counts[reference.connection, "ok"] += 1
        self._last[reference.connection] = LastCalls(ok_at=iso(self._clock()))

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """Record a call that failed at the provider."""
        self.counts[reference.connection, error.code] += 1
        last = LastError(error.code, error.detail, iso(self._clock()))
        self._last[reference.connection] = replace(self.of(reference.connection), error=last)
