"""SQLite as a feed: `PRAGMA data_version` moves with every commit of another connection.

https://www.sqlite.org/pragma.html#pragma_data_version. Whoever is told reads the revision.
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
    """Looks at a SQLite file again and again.

    Args:
        path: The file; it may not be there yet.
    """

    kind = "data_version"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()

    def stop(self) -> None:
        """End the watch with its next look."""
        self._stop.set()

    def watch(self, listener: CommitListener) -> None:
        """Look outside any transaction, on one connection: inside one the version is frozen."""
        connection, seen = None, None
        try:
            while not self._stop.wait(LOOK_SECONDS):
                with suppress(sqlite3.Error):  # a file that isn't there may come
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
