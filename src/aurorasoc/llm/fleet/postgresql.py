"""PostgreSQL as a feed: `LISTEN` on its own connection, in its own thread.

The transaction that raises the revision sends it as a notification, too
(https://www.postgresql.org/docs/16/sql-notify.html). Notifications are lost while nobody listens,
so the revision is read after each connect. It is also read every few seconds, within a deadline:
otherwise a hung server whose kernel still acknowledges would go unnoticed.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import QueryNoTemplate
from sqlalchemy import make_url

from aurorasoc.core.database.engine import FEED_CHANNEL, LIBPQ
from aurorasoc.core.database.migrations import sync_url
from aurorasoc.core.database.reach import why_unreachable
from aurorasoc.core.logs import get_logger
from aurorasoc.llm.fleet.feed import CommitListener

CHECK_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 3
BACK_OFF_SECONDS: Final = 2.0
REFUSED_BACK_OFF_SECONDS: Final = 30.0
"""Where the server refuses: a right or a password doesn't come back within seconds."""

SPREAD_SECONDS: Final = 0.2
"""Randomises reconnects, so that all processes of a lost server don't reconnect together."""

_A_REVISION: Final = re.compile(r"[0-9]{1,18}")
_REVISION: Final = "SELECT revision FROM llm_runtime_config WHERE id = 1"
_REFUSED: Final = re.compile(
    "permission denied|authentication failed|no password supplied|not permitted to log in"
    '|(database|role) ".*" does not exist|pg_hba|rejects connection',
    re.IGNORECASE,
)
_FAILURES: Final = (psycopg.Error, OSError, TimeoutError)

log = get_logger("aurorasoc.feed")


class Listener:
    """Listens, and reconnects until it is stopped.

    Args:
        url: `postgresql://…` of the server itself: a pooler would lose the notifications.
    """

    kind = "listen"

    def __init__(self, url: str) -> None:
        self._arguments = _arguments(url)
        self._stopped = threading.Event()
        self._pauses = _Pauses()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):  # the loop is already closed
                loop.call_soon_threadsafe(task.cancel)

    def watch(self, listener: CommitListener) -> None:
        """Listen on this thread's own loop, so that a busy process doesn't delay it."""
        with suppress(asyncio.CancelledError):
            asyncio.run(self._watch(listener))

    async def _watch(self, listener: CommitListener) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        while not self._stopped.is_set():
            try:
                await self._connected(listener)
            except _FAILURES as error:
                await asyncio.sleep(self._pauses.after(error))

    async def _connected(self, listener: CommitListener) -> None:
        """Connect, and listen until the connection is lost.

        Raises:
            psycopg.Error, OSError, TimeoutError: It can't be connected, or was lost.
        """
        connection = await AsyncConnection.connect(**self._arguments)
        try:
            await _listen(connection, listener, self._pauses.end)
        finally:
            await connection.close()
            listener.connected(up=False)


class _Pauses:
    """How long to wait after a failure, and whether to log it."""

    def __init__(self) -> None:
        self._longest = SPREAD_SECONDS
        self._refusal: str | None = None

    def after(self, error: BaseException) -> float:
        """Return the seconds until the next try; log a refusal once.

        They grow, and are random, so that processes don't retry together.
        """
        refusal = _refusal_in(error)
        if refusal is not None and refusal != self._refusal:
            log.warning("feed refused", detail=refusal)
        self._refusal = refusal or self._refusal
        most = BACK_OFF_SECONDS if refusal is None else REFUSED_BACK_OFF_SECONDS
        longest, self._longest = min(self._longest, most), min(2 * self._longest, most)
        return random.uniform(longest / 2 if refusal else 0, longest)  # noqa: S311 - jitter

    def end(self) -> None:
        """Note that it listens: the next failure is a new one."""
        if self._refusal is not None:
            log.info("feed no longer refused")
        self._longest, self._refusal = SPREAD_SECONDS, None


def _refusal_in(error: BaseException) -> str | None:
    """Return what to do if the server answers and refuses; None if it doesn't answer."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        table = "llm_runtime_config"
        return (
            f"The role in the feed's address may not read {table}. Run as the owner of the "
            f"tables: GRANT SELECT ON {table} TO …"
        )
    cure = why_unreachable(error)
    return cure if _REFUSED.search(str(error)) else None


async def _listen(
    connection: AsyncConnection[Any], listener: CommitListener, begun: Callable[[], None]
) -> None:
    """Report each notification, and every few seconds the stored revision.

    Raises:
        psycopg.Error, TimeoutError: The connection is lost.
    """
    await _ask(connection, f"LISTEN {FEED_CHANNEL}")
    while True:
        listener.heard(await _revision(connection))
        listener.connected(up=True)
        begun()
        async for notification in connection.notifies(timeout=CHECK_SECONDS):
            listener.heard(_revision_in(notification.payload))


def _revision_in(payload: str) -> int | None:
    """Read a notification; None if it holds no revision, as any client may send one."""
    return int(payload) if _A_REVISION.fullmatch(payload) else None


async def _revision(connection: AsyncConnection[Any]) -> int:
    row = await (await _ask(connection, _REVISION)).fetchone()
    return int(row[0]) if row else 0


async def _ask(
    connection: AsyncConnection[Any], query: QueryNoTemplate
) -> psycopg.AsyncCursor[Any]:
    """Run a query within a deadline.

    Raises:
        TimeoutError: There was no answer. The connection is closed, because cancelling would wait
            for the server that doesn't answer.
    """
    asking = asyncio.create_task(connection.execute(query))
    try:
        await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
        if asking.done():
            return asking.result()
    finally:
        if not asking.done():
            await connection.close()
            asking.cancel()
    raise TimeoutError


def _arguments(url: str) -> dict[str, Any]:
    """Return psycopg's arguments as SQLAlchemy builds them; the URL's own parameters win."""
    address = make_url(sync_url(url))
    _, chosen = address.get_dialect()().create_connect_args(address)
    ours = {"autocommit": True, "connect_timeout": CONNECT_SECONDS, "application_name": "aurorasoc"}
    return {**LIBPQ, **ours, **chosen}
