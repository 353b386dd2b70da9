"""A process that hears of changes: `python -m benchmarks.rig.listener KIND NUMBER URL CHANNEL`.

Says `ready`. For each line with a time it waits until all of its listeners have heard something
since, and tells when each of them did. The monotonic clock is one for all processes of a machine.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from importlib import import_module
from typing import Final

import psycopg

BARE: Final = "bare"
READER: Final = "reader"
CHANNEL: Final = "bare"

_LOOK_SECONDS: Final = 0.05
_ASK_SECONDS: Final = 0.02

Note = Callable[[], None]


async def bare(stack: AsyncExitStack, url: str, channel: str, note: Note) -> None:
    """Use `LISTEN`, or poll SQLite's data version as often as the feed does."""
    if url.startswith("sqlite"):
        threading.Thread(target=_poll, args=(url, note), daemon=True).start()
        return
    listening = await _connected(stack, url)
    await listening.execute(f"LISTEN {channel}".encode())
    task = asyncio.create_task(_listen(listening, None, note))
    stack.callback(task.cancel)


async def reader(stack: AsyncExitStack, url: str, channel: str, note: Note) -> None:
    """Use `LISTEN`, and read one row: the least that has to be done to adopt anything."""
    listening, reading = await _connected(stack, url), await _connected(stack, url)
    await listening.execute(f"LISTEN {channel}".encode())
    task = asyncio.create_task(_listen(listening, reading, note))
    stack.callback(task.cancel)


async def _connected(stack: AsyncExitStack, url: str) -> psycopg.AsyncConnection:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    stack.push_async_callback(connection.close)
    return connection


async def _listen(
    listening: psycopg.AsyncConnection, reading: psycopg.AsyncConnection | None, note: Note
) -> None:
    async for _ in listening.notifies():
        if reading is not None:
            await (await reading.execute("SELECT revision FROM llm_runtime_config")).fetchone()
        note()


def _poll(url: str, note: Note) -> None:
    file, seen = url.removeprefix("sqlite:///"), None
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        while True:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                note()
            time.sleep(_LOOK_SECONDS)


_BARE: Final = {BARE: bare, READER: reader}


async def _main(kind: str, number: int, url: str, channel: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    heard: list[list[float]] = [[] for _ in range(number)]
    async with AsyncExitStack() as stack:
        for times in heard:
            await _listening(stack, kind, url, channel, _noting(times))
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            since = float(line)
            while not _all_heard(heard, since):  # noqa: ASYNC110 - threads note, too
                await asyncio.sleep(_ASK_SECONDS)
            _say(json.dumps([min(at for at in times if at >= since) for times in heard]))
            for times in heard:
                times.clear()


async def _listening(stack: AsyncExitStack, kind: str, url: str, channel: str, note: Note) -> None:
    if kind in _BARE:
        await _BARE[kind](stack, url, channel, note)
        return
    adopters = import_module("benchmarks.rig.adopters")  # the service: bare listeners don't load it
    await getattr(adopters, kind)(stack, note)


def _all_heard(heard: list[list[float]], since: float) -> bool:
    return all(times and times[-1] >= since for times in heard)


def _noting(times: list[float]) -> Note:
    return lambda: times.append(time.monotonic())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
