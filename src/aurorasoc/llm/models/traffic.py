"""How each connection's last production calls ended. In memory, for this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.errors import DECLINED, ModelCallError
from aurorasoc.granite import ModelReference
from aurorasoc.llm.models.breakers import Breakers
from aurorasoc.llm.models.declined import RefusalBook
from aurorasoc.llm.models.health import HealthBook, Subject


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
    """Remembers the last success and the last failure of each connection.

    Attributes:
        breakers: Which connections aren't asked for a while.
        health: Whether connections answer.
        on_health: Called when that changes.
        refusals: How often models decline.
        counts: Calls by connection and by how they ended: `ok`, or the failure's code.
        fall_overs: How often another connection was asked: by who failed, who was asked, and why.
    """

    def __init__(self, clock: Clock = now_us, breakers: Breakers | None = None) -> None:
        self._clock = clock
        self.breakers = breakers or Breakers()
        self.breakers.on_change = self._changed
        self.health = HealthBook(self.breakers, clock)
        self.on_health: Callable[[], object] = lambda: None
        self.refusals = RefusalBook()
        self.counts: Counter[tuple[ConnectionName, str]] = Counter()
        self.fall_overs: Counter[tuple[ConnectionName, ConnectionName, str]] = Counter()
        self._last: dict[ConnectionName, LastCalls] = {}
        self._present: dict[ConnectionName, ServingBackend] | None = None

    def keep(self, connections: Mapping[ConnectionName, ConnectionConfig]) -> None:
        """Forget connections that were removed. From then on, only these are recorded.

        One that was made anew under an old name begins with nothing.
        """
        present = {name: config.provider for name, config in connections.items()}
        before, self._present = self._present, present
        kept = {name for name, _ in present.items() & (before or present).items()}
        self._last = {name: last for name, last in self._last.items() if name in kept}
        for connection, code in list(self.counts):
            if connection not in kept:
                del self.counts[connection, code]
        self.breakers.keep(connections, kept)
        self.refusals.keep(kept)
        for failed, asked, code in list(self.fall_overs):
            if not {failed, asked} <= kept:
                del self.fall_overs[failed, asked, code]

    def of(self, connection: ConnectionName) -> LastCalls:
        """Return how a connection's last calls ended."""
        return self._last.get(connection, LastCalls())

    def succeeded(self, reference: ModelReference) -> None:
        """Record an answered call; it clears an earlier failure."""
        if self._is_gone(reference):
            return
        self.counts[reference.connection, "ok"] += 1
        at_us = self._clock()
        self._note(reference, None, at_us)
        self.refusals.note(reference, None, at_us)
        self._last[reference.connection] = LastCalls(ok_at=iso(at_us))

    def failed(self, reference: ModelReference, error: ModelCallError) -> None:
        """Record a call that failed at the provider."""
        if self._is_gone(reference):
            return
        self.counts[reference.connection, error.code] += 1
        at_us = self._clock()
        if not error.of_request:
            self._note(reference, error.code, at_us)
        if isinstance(error, DECLINED):
            self.refusals.note(reference, error, at_us)
        last = LastError(error.code, error.detail, iso(at_us))
        self._last[reference.connection] = replace(self.of(reference.connection), error=last)

    def fell_over(
        self, failed: ModelReference, asked: ModelReference, error: ModelCallError
    ) -> None:
        """Record that another model is asked, because the first one failed."""
        if not (self._is_gone(failed) or self._is_gone(asked)):
            self.fall_overs[failed.connection, asked.connection, error.code] += 1

    def answered(self, reference: ModelReference) -> None:
        """Note that a provider answers, without counting a call."""
        self.breakers.answered(reference)
        self._note(reference, None, self._clock())

    def _changed(self) -> None:
        self.on_health()

    def _note(self, reference: ModelReference, code: str | None, at_us: int) -> None:
        if self.health.note(Subject.of(reference), code, at_us):
            self.on_health()

    def _is_gone(self, reference: ModelReference) -> bool:
        """Whether a call outlived its connection."""
        present = self._present
        return present is not None and present.get(reference.connection) != reference.provider
