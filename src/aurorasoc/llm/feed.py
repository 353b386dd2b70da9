"""How a process learns that something was committed elsewhere.

SQLite: `PRAGMA data_version` on a connection that lasts moves with every commit of another
connection (https://www.sqlite.org/pragma.html#pragma_data_version). Whoever is called reads
the revision itself; a slow poll stands behind it in any case.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError

POLL_SECONDS: Final = 5.0
DATA_VERSION_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0

log = get_logger("aurorasoc.feed")


class Feed:
    """Calls `changed` after commits elsewhere, one call at a time, however many there were.

    Args:
        database_url: `sqlite:///path`, or anything else, which is polled slowly.
        changed: Reads what is stored and adopts it.
    """

    def __init__(self, database_url: str, changed: Callable[[], Awaitable[object]]) -> None:
        self._path = database_url.removeprefix("sqlite:///")
        self._sqlite = database_url.startswith("sqlite:///")
        self._changed = changed
        self._wake = asyncio.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def hears_by(self) -> str:
        """How changes are heard of now: `data_version`, or the slow `poll` alone."""
        return "data_version" if self._sqlite else "poll"

    def start(self) -> None:
        """Begin to watch, in a thread, and to call, on the running loop."""
        self._task = asyncio.create_task(self._call(), name="aurorasoc-feed")
        if self._sqlite:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._watch, args=(loop,), name="aurorasoc-feed", daemon=True
            )
            self._thread.start()

    async def close(self) -> None:
        """Stop both. A reading that is under way is left to end: its thread would outlive us."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _call(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):  # wait_for would swallow a cancellation on Python 3.11
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                await self._changed()
            except AuroraError as error:
                log.warning("not adopted", code=error.code, detail=error.detail)
            except Exception:  # the feed must outlive what it calls
                log.exception("not adopted")

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Poll the data version outside any transaction: inside one it is frozen."""
        connection, seen = None, None
        try:
            while not self._stop.wait(DATA_VERSION_SECONDS):
                with suppress(sqlite3.Error):  # a file that isn't there may come
                    connection = connection or sqlite3.connect(
                        self._path, isolation_level=None, timeout=1.0
                    )
                    (version,) = connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        loop.call_soon_threadsafe(self._wake.set)
        finally:
            if connection is not None:
                connection.close()
