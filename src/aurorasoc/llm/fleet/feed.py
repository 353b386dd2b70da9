"""How a process learns of commits by other processes.

A source watches the database in its own thread: `sqlite.py` a SQLite file, `postgresql.py`
PostgreSQL. Its reports wake one task, which adopts the change. A slow poll backs it up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol, TypeVar

from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.errors import AuroraError

POLL_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0
POLL: Final = "poll"

T = TypeVar("T")

log = get_logger("aurorasoc.feed")


class CommitListener(Protocol):
    """Receives the reports of a source, from any thread."""

    def heard(self, revision: int | None) -> None:
        """Note a commit up to this revision; None means that the revision must be read."""

    def connected(self, *, up: bool) -> None:
        """Note whether the source reports every commit from now on, or none."""


class Source(Protocol):
    """Watches a database."""

    @property
    def kind(self) -> str:
        """The feed's name in the fleet."""

    def watch(self, listener: CommitListener) -> None:
        """Report commits until stopped; runs in its own thread, and survives every failure."""

    def stop(self) -> None:
        """Make `watch` return soon; callable from any thread."""


class Feed:
    """Calls `changed` after commits elsewhere: one call at a time, for any number of commits.

    Args:
        source: Reports commits.
        changed: Adopts; takes the newest reported revision, or None if it must be read.
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
        self._callbacks: list[Callable[[], None]] = []
        self._heard: int | None = 0
        self._failing = ""
        self._wake = asyncio.Event()
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self.up = False
        self.since_us = clock()

    @property
    def kind(self) -> str:
        """The feed's name while the source is connected."""
        return self._source.kind

    @property
    def hears_by(self) -> str:
        """The feed in use now: the source, or only the slow poll."""
        return self.kind if self.up else POLL

    def on_turned(self, callback: Callable[[], None]) -> None:
        """Call back whenever the source is connected or lost."""
        self._callbacks.append(callback)

    def start(self) -> None:
        """Start to watch in a thread, and to call on the running loop."""
        self._task = asyncio.create_task(self._call(), name="aurorasoc-feed")
        self._thread = threading.Thread(
            target=self._source.watch, args=(self,), name="aurorasoc-feed", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Stop both. A read under way may finish: cancelled, its thread would outlive us."""
        self._stop.set()
        self._source.stop()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            await end(self._task)

    def heard(self, revision: int | None) -> None:
        """Wake the task; several reports before it runs count as one."""
        self._on_loop(self._note, revision)

    def connected(self, *, up: bool) -> None:
        """Note whether the source is connected."""
        self._on_loop(self._turn, up)

    def _on_loop(self, call: Callable[[T], None], value: T) -> None:
        with suppress(RuntimeError):  # the loop is closed: this process ends
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
        for callback in self._callbacks:
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
                self._warn_once(error)
            except Exception:  # the feed must survive failures of what it calls
                log.exception("not adopted")
            else:
                self._recover()

    def _warn_once(self, error: AuroraError) -> None:
        """Log why nothing is adopted, when it begins: each poll fails for the same reason."""
        if self._failing != error.detail:
            log.warning("not adopted", code=error.code, detail=error.detail)
        self._failing = error.detail

    def _recover(self) -> None:
        if self._failing:
            log.info("adopting again")
        self._failing = ""

    async def _woken(self) -> bool:
        """Wait until woken; return False when it is time to poll."""
        with suppress(TimeoutError):  # wait_for would swallow a cancellation on Python 3.11
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        woken = self._wake.is_set()
        self._wake.clear()
        return woken
