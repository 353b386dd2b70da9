"""A process that hears of changes: as the service does, or with the bare means of the database.

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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from typing import Final

import psycopg

from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.database import Database
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.store_factory import open_secret_store
from aurorasoc.llm.adoption import Adoption
from aurorasoc.llm.data_version import LOOK_SECONDS
from aurorasoc.llm.feed import Feed, source_of
from aurorasoc.runtime import open_runtime

CHANNEL: Final = "bare"
_PATIENCE_SECONDS: Final = 0.02

Note = Callable[[], None]
Listening = Callable[[AsyncExitStack, Settings, Note], Awaitable[None]]


async def process(stack: AsyncExitStack, settings: Settings, note: Note) -> None:
    """Adopt as an agent's process does, its row in the registry included."""
    runtime = await stack.enter_async_context(open_runtime(settings))
    runtime.adoption.on_adopted(note)


async def adopter(stack: AsyncExitStack, settings: Settings, note: Note) -> None:
    """Adopt, with connections of its own; there may be many in one process."""
    keyring = Keyring(settings.security.seeds)
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    adoption = Adoption(settings, database, open_secret_store(settings, keyring), keyring)
    await adoption.adopt()
    adoption.on_adopted(note)
    await stack.enter_async_context(_feed(settings, adoption.follow))


async def told(stack: AsyncExitStack, settings: Settings, note: Note) -> None:
    """Be told that something was committed, and do nothing about it."""

    async def changed(_revision: int | None) -> None:
        note()

    await stack.enter_async_context(_feed(settings, changed))


@asynccontextmanager
async def _feed(
    settings: Settings, changed: Callable[[int | None], Awaitable[object]]
) -> AsyncIterator[None]:
    feed = Feed(source_of(settings.database_url, None), changed)
    feed.start()
    try:
        yield
    finally:
        await feed.close()


async def bare(stack: AsyncExitStack, settings: Settings, note: Note) -> None:
    """Use `LISTEN`, or poll the data version as often as the feed does."""
    url = settings.database_url
    if url.startswith("sqlite"):
        threading.Thread(target=_poll, args=(url, note), daemon=True).start()
        return
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    stack.push_async_callback(connection.close)
    await connection.execute(f"LISTEN {CHANNEL}")
    listening = asyncio.create_task(_listen(connection, note))
    stack.callback(listening.cancel)


async def _listen(connection: psycopg.AsyncConnection, note: Note) -> None:
    async for _ in connection.notifies():
        note()


def _poll(url: str, note: Note) -> None:
    file, seen = url.removeprefix("sqlite:///"), None
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        while True:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                note()
            time.sleep(LOOK_SECONDS)


_KINDS: Final[dict[str, Listening]] = {
    "process": process,
    "adopter": adopter,
    "told": told,
    "bare": bare,
}


async def _main(kind: str, number: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    heard: list[list[float]] = [[] for _ in range(number)]
    async with AsyncExitStack() as stack:
        for own in heard:
            await _KINDS[kind](stack, load_settings(), _noting(own))
        _say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            since = float(line)
            while not _all_heard(heard, since):  # noqa: ASYNC110 - threads note, too
                await asyncio.sleep(_PATIENCE_SECONDS)
            _say(json.dumps([min(at for at in own if at >= since) for own in heard]))
            for own in heard:
                own.clear()


def _all_heard(heard: list[list[float]], since: float) -> bool:
    return all(own and own[-1] >= since for own in heard)


def _noting(own: list[float]) -> Note:
    return lambda: own.append(time.monotonic())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
