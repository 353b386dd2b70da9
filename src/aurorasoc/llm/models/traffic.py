"""How each provider's last production calls ended. In memory, for this process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from aurorasoc.config.vocabulary import ServingBackend
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
    """One provider's last success and last failure."""

    ok_at: str | None = None
    error: LastError | None = None


class TrafficLedger:
    """Remembers the last success and the last failure of each provider."""

    def __init__(self, clock: Clock = now_us) -> None:
        self._clock = clock
        self.counts: Counter[tuple[ServingBackend, str]] = Counter()
        self._last: dict[ServingBackend, LastCalls] = {}

    def of(self, provider: ServingBackend) -> LastCalls:
        """Return how a provider's last calls ended."""
        return self._last.get(provider, LastCalls())

    def succeeded(self, reference: ModelReference) -> None:
        """Record an answered call; it clears an earlier failure."""
        self.counts[reference.provider, "ok"] += 1
        self._last[reference.provider] = LastCalls(ok_at=iso(self._clock()))

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """Record a call that failed at the provider."""
        self.counts[reference.provider, error.code] += 1
        last = LastError(error.code, error.detail, iso(self._clock()))
        self._last[reference.provider] = replace(self.of(reference.provider), error=last)
