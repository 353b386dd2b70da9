"""How production calls ended last, by provider. In memory, for this process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.errors import ModelCallError
from aurorasoc.granite import ModelReference


@dataclass(frozen=True, slots=True)
class LastError:
    """The code and words of the last failure, and when it was."""

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
        """What is known of a provider's calls."""
        return self._last.get(provider, LastCalls())

    def succeeded(self, reference: ModelReference) -> None:
        """A call was answered: an earlier failure is over."""
        self.counts[reference.provider, "ok"] += 1
        self._last[reference.provider] = LastCalls(ok_at=iso(self._clock()))

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """A call failed at the provider."""
        self.counts[reference.provider, error.code] += 1
        last = LastError(error.code, error.detail, iso(self._clock()))
        self._last[reference.provider] = replace(self.of(reference.provider), error=last)
