"""What a unit test may not do: start a process, open a connection or a database's file."""

import sys
import threading
from collections.abc import Iterator
from typing import Final

import pytest

IMPURE: Final = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.posix_spawn",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "sqlite3.connect",
        "subprocess.Popen",
    }
)


class _Watch:
    """Writes down what the running unit test does beyond computing."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._see)  # for good: Python takes no hook back

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in IMPURE and self.on and threading.current_thread() is threading.main_thread():
            self.seen.append(f"{event}{arguments!r}")


_WATCH: Final = _Watch()


@pytest.fixture(autouse=True)
def _pure() -> Iterator[None]:
    """Fail a test that belongs to `tests/component`."""
    _WATCH.seen.clear()
    _WATCH.on = True
    yield
    _WATCH.on = False
    assert _WATCH.seen == []
