"""How a process learns that something was committed elsewhere.

A source watches the database from a thread of its own: `sqlite.py` a SQLite file, `postgresql.py`
PostgreSQL. What it reports wakes one task, which adopts. A slow poll stands behind it in any case.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError

POLL_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0
POLL: Final = "poll"

T = TypeVar("T")

log = get_logger("aurorasoc.feed")


class CommitListener(Protocol):
    """Receives what a source reports; from any thread."""

    def heard(self, revision: int | None) -> None:
        """Something was committed: up to this revision, or up to one that has to be read."""

    def connected(self, *, up: bool) -> None:
        """The source hears of every commit from now on, or of none."""


class Source(Protocol):
    """Watches a database."""

    @property
    def kind(self) -> str:
        """What the fleet calls this way of hearing."""

    def watch(self, listener: CommitListener) -> None:
        """Tell until stopped; runs in a thread of its own, and outlives every failure."""

    def stop(self) -> None:
        """Have `watch` return soon; from any thread."""


class Feed:
    """Calls `changed` after commits elsewhere, one call at a time, however many there were.

    Args:
        source: Tells of commits.
        changed: Adopts; takes the newest revision that was heard of, None if it has to be read.
    """

    def __init__(
        self,
        source: Source,
        changed: Callable[[int | None], Awaitable[object]],
        clock: Clock = now_us,
    ) -> None:
        self._source = source
        self._changed = changed
        self._clock = clock
        self._told: list[Callable[[], None]] = []
        self._heard: int | None = 0
        self._wake = asyncio.Event()
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self.up = False
        self.since_us = clock()

    @property
    def kind(self) -> str:
        """How changes are heard of while the source is connected."""
        return self._source.kind

    @property
    def hears_by(self) -> str:
        """How changes are heard of now: by the source, or by the slow poll alone."""
        return self.kind if self.up else POLL

    def on_turned(self, callback: Callable[[], None]) -> None:
        """Call back whenever the source was connected or lost."""
        self._told.append(callback)

    def start(self) -> None:
        """Begin to watch, in a thread, and to call, on the running loop."""
        self._task = asyncio.create_task(self._call(), name="aurorasoc-feed")
        self._thread = threading.Thread(
            target=self._source.watch, args=(self,), name="aurorasoc-feed", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Stop both. A reading that is under way is left to end: its thread would outlive us."""
        self._stop.set()
        self._source.stop()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def heard(self, revision: int | None) -> None:
        """Wake the task; several times before it wakes are one."""
        self._on_loop(self._note, revision)

    def connected(self, *, up: bool) -> None:
        """Note how changes are heard of from now on."""
        self._on_loop(self._turn, up)

    def _on_loop(self, call: Callable[[T], None], value: T) -> None:
        with suppress(RuntimeError):  # the loop is over, and this process with it
            self._loop.call_soon_threadsafe(call, value)

    def _note(self, revision: int | None) -> None:
        known = self._heard is not None and revision is not None
        self._heard = max(self._heard or 0, revision or 0) if known else None
        self._wake.set()

    def _turn(self, up: bool) -> None:  # noqa: FBT001 - called by the loop
        if up == self.up or self._stop.is_set():
            return
        self.up, self.since_us = up, self._clock()
        (log.info if up else log.warning)("feed", kind=self.kind, up=up)
        for callback in self._told:
            callback()

    async def _call(self) -> None:
        while not self._stop.is_set():
            woken = await self._woken()
            heard, self._heard = self._heard if woken else None, 0
            if self._stop.is_set():
                return
            try:
                await self._changed(heard)
            except AuroraError as error:
                log.warning("not adopted", code=error.code, detail=error.detail)
            except Exception:  # the feed must outlive what it calls
                log.exception("not adopted")

    async def _woken(self) -> bool:
        """Wait to be woken; False when it was time to poll."""
        with suppress(TimeoutError):  # wait_for would swallow a cancellation on Python 3.11
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        woken = self._wake.is_set()
        self._wake.clear()
        return woken
