"""What this process counted: sums for each hour and way of calling, in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from aurorasoc.errors import BudgetExceeded, HostedStopped, TlpRefused
from aurorasoc.llm.wire.call_record import ABANDONED, CallRecord

HOUR_US: Final = 3_600_000_000
MOST_WAYS: Final = 2_000
"""Ways of calling in one hour. Further callers are counted as one: tokens name any subject."""

MOST_ENTRIES: Final = 5 * MOST_WAYS
"""Sums in memory, of all hours that wait to be written. What needs further ones isn't counted."""

OTHERS: Final = "(others)"

_NO_FAILURE: Final = frozenset(
    {None, ABANDONED, BudgetExceeded.code, TlpRefused.code, HostedStopped.code}
)
"""How an attempt ends that its connection didn't fail: callers leave, and we refuse."""

LONGEST: Final = 255
"""Characters of a model's or subject's name, as the table holds it."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of calling in one hour. Empty: none.

    Attributes:
        hour_us: When the hour began, in microseconds since the epoch.
        connection: Who answered, or was asked.
        model: The requested model.
        agent: The agent's name, or the role where no agent asked.
        client: The machine client's name.
        subject: On whose behalf.
        tlp: The label.
    """

    hour_us: int
    connection: str
    model: str
    agent: str
    client: str
    subject: str
    tlp: str


@dataclass(slots=True)
class Sums:
    """Sums of one way of calling.

    Attributes:
        calls: Calls that ended, in whichever way.
        failed: Those that ended with an error.
        abandoned: Those that their callers left.
        counted: Those whose tokens the vendor counted.
        uncounted: Those that were answered, at least in part, and whose tokens nobody counted.
        priced: Those that have a cost.
        unpriced: Those that were answered, at least in part, and have none.
        prompt_tokens: Of the prompts, cached ones included.
        completion_tokens: Of the answers, thoughts included.
        cached_tokens: Of the prompts, from the vendor's cache.
        cached_counted: Calls in which the vendor counted these, be it none.
        thought_tokens: Of the thoughts alone.
        thoughts_counted: Calls in which the vendor counted these, be it none.
        micro_dollars: What the calls cost.
        sent: Requests, retries included.
        failed_attempts: How often the connection failed a call, or was passed over as not ready, be
            it answered by another.
        milliseconds: How long the calls took.
        streams: Streams that brought a first piece.
        first_piece_milliseconds: How long those took to.
    """

    calls: int = 0
    failed: int = 0
    abandoned: int = 0
    counted: int = 0
    uncounted: int = 0
    priced: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cached_counted: int = 0
    thought_tokens: int = 0
    thoughts_counted: int = 0
    micro_dollars: int = 0
    sent: int = 0
    failed_attempts: int = 0
    milliseconds: int = 0
    streams: int = 0
    first_piece_milliseconds: int = 0


@dataclass(slots=True)
class Entry:
    """The sums of one way of calling, and the key of the row that they are written to.

    The key is drawn anew for each entry: should the clock go back to an hour that was forgotten,
    its new sums stand beside the old ones, and don't replace them.
    """

    sums: Sums = field(default_factory=Sums)
    key: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(slots=True)
class UsageBook:
    """Adds up calls. It is written by the loop's thread only.

    Attributes:
        entries: By way of calling. The writer forgets hours that are over.
        unwritten: What changed since it was written.
        backlog: How many calls that is.
        lost: Calls that weren't counted because too many sums wait; the writer logs it.
    """

    entries: dict[Way, Entry] = field(default_factory=dict)
    unwritten: set[Way] = field(default_factory=set)
    backlog: int = 0
    lost: int = 0

    def note(self, record: CallRecord) -> None:
        """Add a call to its hour."""
        self.backlog += 1
        if (sums := self._of(record, record.connection, record.model)) is None:
            self.lost += 1
        else:
            _add(sums, record)
        for attempt in record.attempts:
            if attempt.code not in _NO_FAILURE:
                asked = self._of(record, attempt.connection, attempt.model or "")
                if asked is not None:
                    asked.failed_attempts += 1
        for connection, count in record.sent.items():
            called = self._of(record, connection, _model_at(record, connection))
            if called is not None:
                called.sent += count

    def taken(self) -> dict[Way, Entry]:
        """Return what is to be written, and take it for written."""
        taken = {way: self.entries[way] for way in self.unwritten}
        self.unwritten, self.backlog = set(), 0
        return taken

    def forget_before(self, hour_us: int) -> None:
        """Forget hours that are over and written."""
        for way in [w for w in self.entries if w.hour_us < hour_us and w not in self.unwritten]:
            del self.entries[way]

    def _of(self, record: CallRecord, connection: str, model: str) -> Sums | None:
        """Return the sums that a call adds to; None: too many wait."""
        way = _way(record, connection, model)
        if way not in self.entries and len(self.entries) >= MOST_WAYS:
            way = _way(record, connection, model, subject=OTHERS)
        if way not in self.entries:
            if len(self.entries) >= MOST_ENTRIES:
                return None
            self.entries[way] = Entry()
        self.unwritten.add(way)
        return self.entries[way].sums


def _way(record: CallRecord, connection: str, model: str, subject: str | None = None) -> Way:
    asker, acting = record.asker, record.acting
    return Way(
        record.at_us - record.at_us % HOUR_US,
        connection,
        _fitting(model),
        asker.agent or asker.role,
        (acting and acting.client) or "",
        subject or _fitting(acting.subject if acting else ""),
        asker.tlp or "",
    )


def _fitting(name: str) -> str:
    """Return a name as every database takes it: one that it refuses would hold up all others."""
    if name.isprintable() and len(name) <= LONGEST:
        return name
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:LONGEST])


def _model_at(record: CallRecord, connection: str) -> str:
    models: Iterator[str | None] = (a.model for a in record.attempts if a.connection == connection)
    return next(models, None) or record.model


def _add(sums: Sums, record: CallRecord) -> None:
    sums.calls += 1
    sums.milliseconds += round(record.seconds * 1000)
    if record.first_piece is not None:
        sums.streams += 1
        sums.first_piece_milliseconds += round(record.first_piece * 1000)
    if record.code == ABANDONED:
        sums.abandoned += 1
    elif record.code is not None:
        sums.failed += 1
        return
    if record.usage is None:
        sums.uncounted += 1
        sums.unpriced += 1
        return
    usage = record.usage
    sums.counted += 1
    sums.prompt_tokens += usage.prompt_tokens
    sums.completion_tokens += usage.completion_tokens
    if usage.cached_tokens is not None:
        sums.cached_counted += 1
        sums.cached_tokens += usage.cached_tokens
    if usage.thought_tokens is not None:
        sums.thoughts_counted += 1
        sums.thought_tokens += usage.thought_tokens
    if record.micro_dollars is None:
        sums.unpriced += 1
    else:
        sums.priced += 1
        sums.micro_dollars += record.micro_dollars
