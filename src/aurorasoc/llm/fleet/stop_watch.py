"""Looks for this host's stop file, and notices when this process was frozen.

A thread of its own looks four times a second: the loop may be busy, and a disk slow. Whatever it
sees comes into force on the loop; until then our transport sends nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Final

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.core.clock import uptime
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.errors import AuroraError
from aurorasoc.llm.adoption.stop_file import Mark, mark_of, stop_in

LOOK_SECONDS: Final = 0.25
FROZEN_SECONDS: Final = 0.75
"""Without a look for so long, the process counts as frozen: it may have missed a change."""

LATE_SECONDS: Final = 5.0
"""How long the file and the database may take; a file that can't be looked at stops traffic."""

CLOSE_SECONDS: Final = 1.0

_CANT_LOOK: Final = HostedTraffic("stopped", reason="hosted.stop can't be looked at")
_UNSEEN: Final = Mark(-1, -1, -1)
"""No file's: whatever is seen next is a change."""

log = get_logger("aurorasoc.stop")

_Look = tuple[Mark | None, HostedTraffic | None]


class StopWatch:
    """Watches from `start()` to `close()`.

    Args:
        folder: The state folder.
        stop_here: Puts this host's stop in force, or its end.
        follow: Adopts what was committed while this process was frozen.
        clock: Returns seconds, time in which the machine slept included.
    """

    def __init__(
        self,
        folder: Path,
        stop_here: Callable[[HostedTraffic | None], None],
        follow: Callable[[], Awaitable[object]],
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._folder = folder
        self._stop_here = stop_here
        self._follow = follow
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._looked = self._clock()
        self._mark: Mark | None = None
        self._behind = False
        self._frozen = False
        self._catching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[_Look] | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Look once, then keep looking."""
        await self._look()
        self._looked = self._clock()
        self._thread = threading.Thread(target=self._run, name="aurorasoc-stop", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
        await end(self._catching)

    def is_behind(self) -> bool:
        """Whether this process was frozen, or what the thread saw isn't in force yet."""
        if self._behind or self._catching is not None:
            return True
        return self._clock() - self._looked > FROZEN_SECONDS

    async def caught_up(self) -> None:
        """Wait until all that is known of a stop is in force."""
        if self._clock() - self._looked > FROZEN_SECONDS:
            self._frozen = True
        for _ in range(2):  # the first may have begun before this process was frozen
            self._catch_up()
            if self._catching is not None:
                await asyncio.shield(self._catching)
            if not (self._frozen or self._behind):
                return

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            mark, now = mark_of(self._folder), self._clock()
            frozen = now - self._looked > FROZEN_SECONDS
            if frozen or mark != self._mark:
                self._frozen |= frozen
                self._behind = True
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self._catch_up)
            self._looked = now

    def _catch_up(self) -> None:
        if self._catching is None and not self._closing.is_set():
            # Not in the context of who asks: a model call may reach no database.
            self._catching = asyncio.get_running_loop().create_task(
                self._caught_up(), name="aurorasoc-stop", context=self._context.copy()
            )

    async def _caught_up(self) -> None:
        try:
            frozen, self._frozen, self._behind = self._frozen, False, False
            await self._look()
            if frozen:
                log.info("was frozen")
                with suppress(AuroraError, TimeoutError):
                    async with asyncio.timeout(LATE_SECONDS):
                        await self._follow()
            self._looked = self._clock()
        finally:
            self._catching = None

    async def _look(self) -> None:
        """Look at the file, in a thread: a disk may hang, and then in one thread alone."""
        self._looking = looking = self._looking or asyncio.create_task(
            asyncio.to_thread(self._seen)
        )
        try:
            async with asyncio.timeout(LATE_SECONDS):
                self._mark, stop = await asyncio.shield(looking)
        except TimeoutError:
            self._mark, stop = _UNSEEN, _CANT_LOOK
        finally:
            if looking.done():
                self._looking = None
        self._stop_here(stop)

    def _seen(self) -> _Look:
        mark = mark_of(self._folder)  # first: what changes behind it is seen at the next look
        return mark, stop_in(self._folder)
