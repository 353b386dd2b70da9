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
from typing import Final

from aurorasoc.config.settings import load_settings
from aurorasoc.llm.edits import Configuration
from aurorasoc.runtime import open_runtime

_ROWS: Final = 4
"""What a change writes: configuration, provider, history, audit entry."""


async def change(number: int) -> None:
    """Make changes as the API does; each is another model name, so that none is a repetition."""
    async with open_runtime() as runtime:
        await _go()
        began = time.monotonic()
        for _ in range(number):
            wanted = Configuration("vllm", model=secrets.token_hex(8))
            await runtime.admin.switch(wanted, actor="benchmark")
        _tell(began)


async def bare(number: int) -> None:
    """Write rows of an audit entry's size, under the same lock and the same promises."""
    file = load_settings().database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(Path(file), isolation_level=None, timeout=20)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, line TEXT)")
        await _go()
        began = time.monotonic()
        for _ in range(number):
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(_ROWS):
                connection.execute("INSERT INTO bare (line) VALUES (?)", (secrets.token_hex(150),))
            connection.execute("COMMIT")
        _tell(began)


async def _go() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


def _tell(began: float) -> None:
    """Give both ends: the monotonic clock is one for all processes of a machine."""
    sys.stdout.write(json.dumps([began, time.monotonic()]) + "\n")
    sys.stdout.flush()


_KINDS: Final[dict[str, Callable[[int], Awaitable[None]]]] = {"change": change, "bare": bare}


async def _main(kind: str, number: int) -> None:
    await _KINDS[kind](number)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
