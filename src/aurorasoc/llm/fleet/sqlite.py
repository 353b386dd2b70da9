"""SQLite as a feed: `PRAGMA data_version` changes with every commit of another connection.

https://www.sqlite.org/pragma.html#pragma_data_version. The listener reads the revision.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from aurorasoc.core.database.reach import why_unreachable
from aurorasoc.core.logs import get_logger
from aurorasoc.llm.fleet.feed import CommitListener

LOOK_SECONDS: Final = 0.05
BACK_OFF_SECONDS: Final = 2.0

WARN_AFTER: Final = 5
"""Failures in a row after which the file counts as lost: two seconds; a lock passes sooner."""

log = get_logger("aurorasoc.feed")


class DataVersion:
    """Polls a SQLite file.

    Args:
        path: The file; it may not exist yet.
    """

    kind = "data_version"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """End the watch at its next poll."""
        self._stop.set()

    def watch(self, listener: CommitListener) -> None:
        """Poll on one connection, outside any transaction: inside one the version is frozen."""
        while not self._stop.wait(self._pause):
            try:
                with closing(self._connect()) as connection:
                    self._poll(connection, listener)
            except sqlite3.Error as error:
                self._failed(error, listener)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, timeout=1.0)

    @property
    def _pause(self) -> float:
        return min(math.ldexp(LOOK_SECONDS, min(self._failures, 10)), BACK_OFF_SECONDS)

    def _poll(self, connection: sqlite3.Connection, listener: CommitListener) -> None:
        """Report changes until stopped.

        Raises:
            sqlite3.Error: The file can't be read; it may be created later.
        """
        seen = None
        while True:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                self._answered(listener)
                listener.heard(None)
            if self._stop.wait(LOOK_SECONDS):
                return

    def _failed(self, error: sqlite3.Error, listener: CommitListener) -> None:
        """Note a failure; log once that the file is lost."""
        self._failures += 1
        if self._failures == WARN_AFTER:
            log.warning("feed refused", detail=why_unreachable(error))
            listener.connected(up=False)

    def _answered(self, listener: CommitListener) -> None:
        if self._failures >= WARN_AFTER:
            log.info("feed no longer refused")
        self._failures = 0
        listener.connected(up=True)
