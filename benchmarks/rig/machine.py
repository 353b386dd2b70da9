"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from typing import Final

_PACKAGES: Final = ("fastapi", "uvicorn", "beeai-framework", "litellm", "httpx", "sqlalchemy")


def described() -> str:
    """Describe processors, memory and versions; never a name or an address."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; {versions}"
    )


def load() -> str:
    """Say how busy the machine was in the last minute: processes that ran or wanted to."""
    return f"{os.getloadavg()[0]:.1f}"
