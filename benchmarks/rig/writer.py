"""One writing process: says `ready`, waits for a line, writes, and says from when to when."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg

from aurorasoc.config.settings import load_settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.database.engine import WRITER_LOCK
from aurorasoc.llm.changes.requests import ConfigRequest
from aurorasoc.runtime import open_runtime

_ROWS: Final = 4
"""What a change writes: configuration, provider, history, audit entry."""


async def change(number: int) -> None:
    """Make changes as the API does; each is another model name, so that none is a repetition."""
    async with open_runtime() as runtime:
        await _go()
        began = time.monotonic()
        for _ in range(number):
            requested = ConfigRequest(provider=ServingBackend.VLLM, model=secrets.token_hex(8))
            await runtime.admin.switch(requested, actor="benchmark")
        _tell(began)


async def bare(number: int) -> None:
    """Write rows of an audit entry's size, under the same lock and the same promises."""
    url = load_settings().database_url
    sqlite = url.startswith("sqlite")
    with closing(_sqlite(url) if sqlite else psycopg.connect(url, autocommit=True)) as connection:
        await _go()
        began = time.monotonic()
        for _ in range(number):
            connection.execute("BEGIN IMMEDIATE" if sqlite else "BEGIN")
            if not sqlite:
                connection.execute(WRITER_LOCK)
            for _ in range(_ROWS):
                connection.execute(f"INSERT INTO bare VALUES ('{secrets.token_hex(150)}')")  # noqa: S608 - made up here
            connection.execute("COMMIT")
        _tell(began)


def _sqlite(url: str) -> Any:  # noqa: ANN401 - what both drivers' connections can do
    file = Path(url.removeprefix("sqlite:///"))
    connection = sqlite3.connect(file, isolation_level=None, timeout=20)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


async def _go() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


def _tell(began: float) -> None:
    """Print both ends: the monotonic clock is one for all processes of a machine."""
    sys.stdout.write(json.dumps([began, time.monotonic()]) + "\n")
    sys.stdout.flush()


_KINDS: Final[dict[str, Callable[[int], Awaitable[None]]]] = {"change": change, "bare": bare}


async def _main(kind: str, number: int) -> None:
    await _KINDS[kind](number)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
