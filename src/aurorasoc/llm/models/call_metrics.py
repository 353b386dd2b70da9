"""What `/metrics` shows of the calls of this process. In memory, with a bounded number of labels.

A call that falls over counts for whoever answered it, or for whoever was asked first if nobody did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.histogram import Histogram
from aurorasoc.llm.wire.call_record import CallRecord

# fmt: off
SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)
# fmt: on
"""Bounds of durations, as OpenTelemetry's GenAI conventions want them."""

ANSWERED: Final = "ok"


@dataclass(slots=True)
class ConnectionCalls:
    """The calls of one connection.

    Attributes:
        outcomes: Calls by how they ended: `ok`, or the code of their failure.
        duration: Seconds that calls took, those that failed included.
        first_piece: Seconds until the first piece of a stream.
        tokens: Tokens as vendors counted them, by kind.
        sent: Requests sent, retries included.
        priced: Calls whose price is known.
        micro_dollars: What those cost, in millionths of a US dollar.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    duration: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    first_piece: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    tokens: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    priced: int = 0
    micro_dollars: int = 0


class CallMetrics:
    """Sums up the calls of each connection. `note` follows `ModelPool.records`."""

    def __init__(self) -> None:
        self._calls: dict[ConnectionName, ConnectionCalls] = {}
        self._present: Mapping[ConnectionName, ServingBackend] = {}

    def keep(self, connections: Mapping[ConnectionName, ConnectionConfig]) -> None:
        """Count these connections only; one that is gone, or led elsewhere, is forgotten."""
        before = self._present
        self._present = {name: config.provider for name, config in connections.items()}
        kept = self._present.items() & before.items()
        self._calls = {n: calls for n, calls in self._calls.items() if (n, before[n]) in kept}

    def note(self, record: CallRecord) -> None:
        """Count a call that ended."""
        for connection, count in record.sent.items():
            if connection in self._present:
                self._of(connection).sent += count
        if self._present.get(record.connection) != record.provider:
            return  # it outlived its connection
        calls = self._of(record.connection)
        calls.outcomes[record.code or ANSWERED] += 1
        calls.duration.observe(record.seconds)
        if record.first_piece is not None:
            calls.first_piece.observe(record.first_piece)
        calls.tokens.update(token_counts(record))
        if record.micro_dollars is not None:
            calls.priced += 1
            calls.micro_dollars += record.micro_dollars

    def items(self) -> Iterator[tuple[ConnectionName, ServingBackend, ConnectionCalls]]:
        """Yield each connection that was called, and the kind of its provider."""
        for name, calls in self._calls.items():
            yield name, self._present[name], calls

    def _of(self, connection: ConnectionName) -> ConnectionCalls:
        return self._calls.setdefault(connection, ConnectionCalls())


def token_counts(record: CallRecord) -> dict[str, int]:
    """Return a call's tokens by kind; `cached` is part of the prompt, `thought` of the answer."""
    usage = record.usage
    if usage is None:
        return {}
    counts = {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens}
    if usage.thought_tokens is not None:
        counts["thought"] = usage.thought_tokens
    if usage.cached_tokens is not None:
        counts["cached"] = usage.cached_tokens
    return counts
