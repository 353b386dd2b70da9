"""SQLite as a feed: `PRAGMA data_version` changes with every commit of another connection.

https://www.sqlite.org/pragma.html#pragma_data_version. The listener reads the revision.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from aurorasoc.llm.fleet.feed import CommitListener

LOOK_SECONDS: Final = 0.05


class DataVersion:
    """Polls a SQLite file.

    Args:
        path: The file; it may not exist yet.
    """

    kind = "data_version"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the watch at its next poll."""
        self._stop.set()

    def watch(self, listener: CommitListener) -> None:
        """Poll on one connection, outside any transaction: inside one the version is frozen."""
        connection, seen = None, None
        try:
            while not self._stop.wait(LOOK_SECONDS):
                with suppress(sqlite3.Error):  # the file may be created later
                    connection = connection or sqlite3.connect(
                        self._path, isolation_level=None, timeout=1.0
                    )
                    (version,) = connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        listener.connected(up=True)
                        listener.heard(None)
        finally:
            if connection is not None:
                connection.close()
