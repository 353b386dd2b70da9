"""How long a process ran: what it waited for, and what else the machine did, isn't in it."""

from __future__ import annotations

from pathlib import Path


def ran(pid: int) -> float:
    """Return a process's seconds on a processor until now, all its threads together.

    Counted in nanoseconds, where `times` counts hundredths of a second (proc_pid_stat(5),
    schedstat).
    """
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
