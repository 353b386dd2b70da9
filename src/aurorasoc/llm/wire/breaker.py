"""Stop asking a provider whose calls fail, and find out with one call at a time when it is back.

A breaker is *closed* while the provider is asked. It is *open*, and refuses calls, after `FAILURES`
of them failed in a row; only failures that speak of the provider count. Once its time is over, it
is *probing*: one call asks, and closes it or opens it again for twice as long
(docs/decisions/048).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Final, Literal, Self

from aurorasoc.core.clock import Clock, iso, now_us, uptime
from aurorasoc.errors import CALL_ERRORS, DECLINED, OF_MODEL, ModelCallError
from aurorasoc.granite import ModelReference

BreakerState = Literal["closed", "open", "probing"]

FAILURES: Final = 5
"""Transmissions that fail in a row. Fewer would open on a hiccup: one call may be two of them."""

FIRST_SECONDS: Final = 10.0
LONGEST_SECONDS: Final = 120.0
"""How long it stays open: doubled with each opening in a row."""

RETRY_AFTER: Final = (1.0, 600.0)
"""The shortest and longest `Retry-After` that is followed; longer ones are asked in between."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Why, and how long, a provider isn't asked.

    Attributes:
        leaf: The class of the failure that opened it.
        why: What failed, in a sentence.
        since_us: When it opened, and didn't close since.
        until: Seconds of the breaker's clock.
    """

    leaf: type[ModelCallError]
    why: str
    since_us: int
    until: float

    def detail(self, seconds: int) -> str:
        """Say why a call isn't made, and until when; 0 while another call asks."""
        again = f"It is asked again in {seconds} s." if seconds else "Another call asks it now."
        return f"{self.why} {again}"


@dataclass(slots=True)
class BreakerCounts:
    """What breakers of one connection did: how often they opened, and calls they refused."""

    opened: int = 0
    not_asked: int = 0


class Breaker:
    """Guards the way to one provider, for every call of this process, on any thread.

    Args:
        clock: Seconds, time in which the machine slept included.
        now: The time that is shown.
        counts: Counts on from a breaker before this one.
        on_change: Called when it opens or closes.
    """

    def __init__(
        self,
        clock: Callable[[], float] = uptime,
        now: Clock = now_us,
        counts: BreakerCounts | None = None,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self.counts = counts or BreakerCounts()
        self._clock, self._now, self._on_change = clock, now, on_change
        self._lock = RLock()  # a collected call may be left in the midst of another's verdict
        self._opening: Opening | None = None
        self._prober: Passage | None = None
        self._message: tuple[Opening | None, int, str] = (None, 0, "")
        self._verdicts = 0
        self._answered = 0  # the last verdict that was an answer
        self._failed = 0  # the first of the failures in a row
        self._failing_us = 0
        self._failures = 0
        self._in_a_row = 0  # openings without an answer in between

    @property
    def opening(self) -> Opening | None:
        """Why the provider isn't asked; None while it is."""
        return self._opening

    @property
    def state(self) -> BreakerState:
        """`probing`: its time is over, and one call at a time may ask."""
        opening = self._opening
        if opening is None:
            return "closed"
        return "open" if self._clock() < opening.until else "probing"

    def require(self, passage: Passage) -> None:
        """Refuse a call that is about to wait for its turn, if it wouldn't be made now.

        Raises:
            ModelCallError: As the failure that opened this, with `asked` false.
        """
        if self._opening is not None:
            self._admit(passage, probes=False)

    def ask(self, passage: Passage) -> None:
        """Let a transmission pass that follows at once.

        Raises:
            ModelCallError: As the failure that opened this, with `asked` false.
        """
        if self._opening is not None:
            self._admit(passage, probes=True)
        passage.asked = self._verdicts

    def refuses(self, passage: Passage) -> bool:
        """Whether a call that isn't probing would be refused, now or soon."""
        return self._opening is not None and not passage.forced

    def began(self, passage: Passage) -> None:
        """Note a stream's first piece: a probing one closes this on trial.

        One more failure opens it again, until an answer is whole.
        """
        if self._prober is passage:
            with self._lock:
                self._prober = self._opening = None
            self._on_change()

    def answered(self) -> None:
        """Note a whole answer: it closes this."""
        with self._lock:
            self._verdicts += 1
            self._answered = self._verdicts
            self._failures = self._in_a_row = 0
            self._prober = None
            was, self._opening = self._opening, None
        if was is not None:
            self._on_change()

    def failed(self, passage: Passage, error: ModelCallError) -> None:
        """Note how a transmission failed. A model that declined has answered."""
        if isinstance(error, DECLINED):
            self.answered()
        elif error.of_request or error.code in OF_MODEL:
            self.left(passage)
        else:
            with self._lock:
                self._verdicts += 1
                opens = self._opens(passage)
                if opens:
                    self._open(passage, error)
            if opens:
                self._on_change()

    def left(self, passage: Passage) -> None:
        """Note that a call is over; if it probed without a verdict, the next one does."""
        if self._prober is passage:
            self._prober = None

    def _admit(self, passage: Passage, *, probes: bool) -> None:
        opening = self._opening
        if opening is None or passage.forced or self._prober is passage:
            return
        left = opening.until - self._clock()
        if left > 0:
            raise self._refusal(opening, passage, math.ceil(left))
        with self._lock:
            if self._prober is not None:
                raise self._refusal(opening, passage, 0)
            if probes:
                self._prober = passage

    def _refusal(self, opening: Opening, passage: Passage, seconds: int) -> ModelCallError:
        self.counts.not_asked += 1
        message, reference = self._message, passage.reference
        if message[0] is not opening or message[1] != seconds:  # one text for many refusals
            self._message = message = opening, seconds, opening.detail(seconds)
        error = opening.leaf(message[2], provider=reference.provider, model=reference.model)
        error.retry_after, error.asked = float(seconds or 1), False
        return error

    def _opens(self, passage: Passage) -> bool:
        """Count a failure; return whether it opens this.

        One that was asked before the last answer is older than that. And the last of the failures
        must have been asked after the first was known: calls that end together, as when a proxy
        restarts or this process was frozen, are one event.
        """
        if self._opening is not None:
            self._failures += self._prober is passage
            return self._prober is passage
        if passage.asked < self._answered:
            return False
        self._failures += 1
        if self._failures == 1:
            self._failed, self._failing_us = self._verdicts, self._now()
        return self._failures >= FAILURES and passage.asked >= self._failed

    def _open(self, passage: Passage, error: ModelCallError) -> None:
        seconds = min(FIRST_SECONDS * 2**self._in_a_row, LONGEST_SECONDS)
        if error.retry_after is not None:
            seconds = min(max(error.retry_after, RETRY_AFTER[0]), RETRY_AFTER[1])
        since_us = self._now() if self._opening is None else self._opening.since_us
        until = self._clock() + seconds
        why = (
            f"{passage.reference.connection} was not asked: {self._failures} requests in a row "
            f"failed since {iso(self._failing_us)[:19]}Z, the last with {error.code}."
        )
        self._opening = Opening(CALL_ERRORS[error.code], why, since_us, until)
        self._prober = None
        self._in_a_row = min(self._in_a_row + 1, 8)
        self.counts.opened += 1


@dataclass(slots=True, eq=False)
class Passage:
    """One call's way through a breaker. Enter it for as long as the call lasts.

    Attributes:
        breaker: What it passes.
        reference: The model that is called.
        forced: Whether it is made whatever the breaker says: an admin's test.
        asked: How many verdicts there were when it last was made.
    """

    breaker: Breaker
    reference: ModelReference
    forced: bool = False
    asked: int = 0

    def __enter__(self) -> Self:
        """Refuse the call if it wouldn't be made now (`Breaker.require`)."""
        self.breaker.require(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.breaker.left(self)
