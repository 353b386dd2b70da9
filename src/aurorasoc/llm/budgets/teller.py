"""Takes what calls want reserved and what they did cost, and writes many of them at once.

One transaction is under way at a time; what comes meanwhile goes into the next one. A settlement
waits a moment for company, a reservation doesn't, and takes all settlements with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aurorasoc.core.clock import Clock, day_of, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.budgets.books import expired, forget_before, keep_books, open_accounts
from aurorasoc.llm.budgets.entries import (
    Account,
    Full,
    Granted,
    Outcome,
    Posting,
    ReservationRequest,
    Settlement,
    accounts_of,
)

FLUSH_SECONDS: Final = 0.2
"""How long a settlement waits; the budget has less room than it could have until then."""

RETRY_SECONDS: Final = 5.0
"""How long settlements wait after a failure; a reservation tries at once."""

SWEEP_SECONDS: Final = 60.0
KEPT_DAYS: Final = 400
MOST_AT_ONCE: Final = 200
"""Reservations and settlements of one transaction, each."""

MOST_WAITING: Final = 100_000
"""Settlements kept while the database is away; more than that stay reserved, and so spent."""

log = get_logger("aurorasoc.budgets")

Follow = Callable[[Outcome], None]


@dataclass(slots=True)
class _Request:
    requested: ReservationRequest
    answer: asyncio.Future[Granted | Full]


@dataclass(slots=True)
class _Waiting:
    requests: list[_Request] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    posted: list[Posting] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.requests or self.settled or self.posted)

    def take(self) -> _Waiting:
        """Take the oldest out, as many as one transaction may have."""
        most = MOST_AT_ONCE
        part = _Waiting(self.requests[:most], self.settled[:most], self.posted[:most])
        del self.requests[:most], self.settled[:most], self.posted[:most]
        return part


class Teller:
    """Writes the books of this process's calls.

    Args:
        database: Where they are.
        follow: Is told of each transaction.
        clock: The time.
    """

    def __init__(self, database: Database, follow: Follow, clock: Clock = now_us) -> None:
        self._database, self._follow, self._clock = database, follow, clock
        self._waiting = _Waiting()
        self._some, self._urgent = asyncio.Event(), asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self._open: set[Account] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._sweep_at = 0.0

    async def reserve(self, requested: ReservationRequest) -> Granted | Full:
        """Reserve what a transmission may cost.

        Raises:
            DatabaseUnavailable: The database doesn't answer, or this process ends.
        """
        if self._closing:
            detail = "This process ends. Nothing was sent."
            raise DatabaseUnavailable(detail)
        answer: asyncio.Future[Granted | Full] = asyncio.get_running_loop().create_future()
        self._waiting.requests.append(_Request(requested, answer))
        self._wake(urgent=True)
        return await answer

    def settle(self, settlement: Settlement) -> None:
        """Say what a reserved transmission did cost."""
        if len(self._waiting.settled) < MOST_WAITING:
            self._waiting.settled.append(settlement)
        self._wake()

    def post(self, posting: Posting) -> None:
        """Say what a call cost that reserved nothing."""
        if len(self._waiting.posted) < MOST_WAITING:
            self._waiting.posted.append(posting)
        self._wake()

    async def flush(self) -> None:
        """Write what waits, now; what can't be written goes on waiting."""
        if self._waiting and not self._closing:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushes.append(written)
            self._wake(urgent=True)
            await written

    async def close(self) -> None:
        """Write what waits, once, and end."""
        if self._task is None:
            return
        self._closing = True
        self._some.set()
        self._urgent.set()
        await self._task

    def _wake(self, *, urgent: bool = False) -> None:
        self._some.set()
        if urgent:
            self._urgent.set()
        if self._task is None or self._task.done():  # whoever has no budgets has none
            self._task = asyncio.create_task(self._work(), name="aurorasoc-budgets")

    async def _work(self) -> None:
        patience = FLUSH_SECONDS
        while not self._closing or self._waiting:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._urgent.wait()
            self._some.clear()
            self._urgent.clear()
            failed = await self._write(self._waiting.take())
            if failed and self._closing:
                break
            patience = RETRY_SECONDS if failed else FLUSH_SECONDS
            if self._waiting:
                self._wake(urgent=not failed)
            if failed or not self._waiting:
                self._release_flushes()
            await self._sweep_in_time()
        self._release_flushes()

    def _release_flushes(self) -> None:
        for written in self._flushes:
            if not written.done():
                written.set_result(None)
        self._flushes.clear()

    async def _write(self, part: _Waiting) -> bool:
        """Write a part; return whether that failed."""
        if not part:
            return False
        try:
            outcome = await self._booked(part)
        except DatabaseUnavailable as error:
            self._failed(part, error)
            return True
        except BaseException:  # a fault of ours: nobody waits for an answer that won't come
            self._failed(part, DatabaseUnavailable())
            raise
        self._follow(outcome)
        for one in part.requests:
            answer = outcome.answers[one.requested.id]
            if not one.answer.done():
                one.answer.set_result(answer)
            elif isinstance(answer, Granted):  # its call was given up meanwhile: nothing was sent
                self.settle(Settlement(one.requested.id, one.requested.accounts, 0, 0))
        return False

    async def _booked(self, part: _Waiting) -> Outcome:
        requested = [one.requested for one in part.requests]
        accounts = accounts_of(requested, part.settled, part.posted)
        if accounts - self._open:
            async with self._database.transaction(ordered=False) as session:
                await open_accounts(session, accounts - self._open)
            self._open |= accounts
        async with self._database.transaction(ordered=False) as session:
            return await keep_books(session, requested, part.settled, part.posted, self._clock())

    def _failed(self, part: _Waiting, error: DatabaseUnavailable) -> None:
        """Refuse reservations. Settlements wait: one that was written after all has no effect.

        Postings may have been written. They are of soft limits: better counted once at most.
        """
        for one in part.requests:
            if not one.answer.done():
                one.answer.set_exception(DatabaseUnavailable(error.detail))
            self._waiting.settled.append(Settlement(one.requested.id, one.requested.accounts, 0, 0))
        self._waiting.settled[:0] = part.settled
        log.warning("budgets can't be written", code=error.code, waiting=len(part.settled))

    async def _sweep_in_time(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        with suppress(DatabaseUnavailable):
            async with self._database.transaction(ordered=False) as session:
                day = day_of(self._clock()) - timedelta(days=KEPT_DAYS)
                await forget_before(session, f"{day:%Y-%m}")
                settled = await expired(session, self._clock())
            for one in settled:
                self.settle(one)
