"""The breakers of this process: one for each connection, at one address, with one key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import digest
from aurorasoc.core.clock import Clock, now_us, uptime
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.breaker import Breaker, BreakerCounts


class Way(NamedTuple):
    """What a breaker guards: every model of a connection goes through it."""

    connection: ConnectionName
    provider: str
    base_url: str | None
    key_tag: str

    @classmethod
    def of(cls, reference: ModelReference) -> Way:
        """Return the way that a call takes."""
        return cls(reference.connection, reference.provider, reference.base_url, reference.key_tag)

    @classmethod
    def to(cls, config: ConnectionConfig) -> Way:
        """Return the way to a connection, as it is configured."""
        return cls(config.name, config.provider, config.base_url.value, config.credential.key_tag)

    @property
    def digest(self) -> str:
        """A name for it that processes can share: 16 hex characters."""
        return digest(["breaker", *self])[:16]


class Breakers:
    """Keeps them.

    Args:
        clock: Seconds, time in which the machine slept included.
        now: The time that is shown.

    Attributes:
        counts: What they did, by connection, whatever its address and key were.
        on_change: Called when one opens or closes.
    """

    def __init__(self, clock: Callable[[], float] = uptime, now: Clock = now_us) -> None:
        self._clock, self._now = clock, now
        self._breakers: dict[Way, Breaker] = {}
        self.counts: dict[ConnectionName, BreakerCounts] = {}
        self.on_change: Callable[[], object] = lambda: None

    def of(self, reference: ModelReference) -> Breaker:
        """Return the breaker that a model's calls pass."""
        way = Way.of(reference)
        breaker = self._breakers.get(way)
        if breaker is None:
            counts = self.counts.setdefault(way.connection, BreakerCounts())
            breaker = Breaker(self._clock, self._now, counts, self._changed)
            self._breakers[way] = breaker
        return breaker

    def to(self, config: ConnectionConfig) -> Breaker | None:
        """Return a connection's breaker, as it is configured; None before the first call."""
        return self._breakers.get(Way.to(config))

    def answered(self, reference: ModelReference) -> None:
        """Close a breaker: its provider answered elsewhere."""
        breaker = self._breakers.get(Way.of(reference))
        if breaker is not None:
            breaker.answered()

    def keep(
        self,
        connections: Mapping[ConnectionName, ConnectionConfig],
        counted: Collection[ConnectionName],
    ) -> None:
        """Forget all but those of connections as they are configured now.

        A run that is pinned to an old key or address keeps the one that it has.

        Args:
            connections: All connections.
            counted: Those that existed before, and whose counts go on.
        """
        ways = {Way.to(config) for config in connections.values()}
        self._breakers = {way: one for way, one in self._breakers.items() if way in ways}
        self.counts = {name: one for name, one in self.counts.items() if name in counted}

    def not_closed(self) -> Iterator[tuple[Way, Breaker]]:
        """Yield those that refuse calls."""
        for way, breaker in list(self._breakers.items()):
            if breaker.opening is not None:
                yield way, breaker

    def _changed(self) -> None:
        self.on_change()
