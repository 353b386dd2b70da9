"""What another process commits is adopted in this one."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.fleet.feed import Feed
from aurorasoc.llm.fleet.sqlite import DataVersion
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World, until, use
from tests.examples import JWT_SECRET
from tests.world.processes import bare_env
from tests.world.service import run_command

PING: Final[list[Any]] = [UserMessage("ping")]


@pytest.fixture
def elsewhere(world: World, database_file: Path) -> "Elsewhere":
    """Return another process on the same database."""
    overrides = {
        "LLM_BACKEND": "deepseek",
        "LLM_ANTHROPIC_API_KEY": "",
        "JWT_SECRET_KEY": JWT_SECRET,
        "AURORA_STATE_DIR": str(database_file.parent),
    }
    return Elsewhere(bare_env(**world.variables(**overrides)), database_file.parent)


class Elsewhere:
    """Another process, which runs commands."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        """Remember where and how."""
        self._env, self._folder = env, folder

    async def run(self, *arguments: str, stdin: str = "") -> None:
        """Run a command while this process's loop goes on."""

        def run() -> subprocess.CompletedProcess[str]:
            return run_command(*arguments, env=self._env, cwd=self._folder, stdin=stdin)

        done = await asyncio.to_thread(run)
        assert done.returncode == 0, done.stderr


async def test_a_switch_elsewhere_is_adopted_here(
    world: World, runtime: Runtime, elsewhere: Elsewhere
) -> None:
    """The next call of a handle that was here before goes to the new provider."""
    handle = get_chat_model()
    await elsewhere.run("providers", "use", "ollama")
    await until(lambda: runtime.adoption.snapshot.revision == 1)
    assert (await handle.run(PING)).get_text_content() == "granite4:8b says: pong"
    assert world.keyed.requests == []


async def test_a_key_set_elsewhere_is_in_force_here(runtime: Runtime, elsewhere: Elsewhere) -> None:
    """And one that is deleted elsewhere isn't any more."""

    def key() -> str | None:
        stored = runtime.adoption.snapshot.connections[ServingBackend.ANTHROPIC].credential.api_key
        return stored.get_secret_value() if stored else None

    await elsewhere.run("key", "set", "anthropic", stdin=KEYS["anthropic"])
    await until(lambda: key() == KEYS["anthropic"])
    await elsewhere.run("key", "delete", "anthropic")
    await until(lambda: key() is None)


async def test_changes_here_and_elsewhere_make_one_history(
    runtime: Runtime, elsewhere: Elsewhere
) -> None:
    """Neither overwrites the other."""
    await use("openai", runtime)
    await elsewhere.run("providers", "use", "ollama")
    await use("vllm", runtime)
    assert runtime.adoption.snapshot.revision == 3


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[sqlite3.Connection, Path]]:
    """Yield a SQLite file in WAL mode with one number in it, and a writer's connection."""
    path = tmp_path / "watched.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE t (n INTEGER)")
    writer.execute("INSERT INTO t VALUES (0)")
    yield writer, path
    writer.close()


def _number(path: Path) -> int:
    reader = sqlite3.connect(path)
    (number,) = reader.execute("SELECT n FROM t").fetchone()
    reader.close()
    return int(number)


async def test_many_commits_are_one_call(watched: tuple[sqlite3.Connection, Path]) -> None:
    """Those that come while one is being adopted are adopted together, the last among them."""
    writer, path = watched
    busy, seen = asyncio.Event(), []

    async def changed(_heard: int | None) -> None:
        await busy.wait()
        seen.append(_number(path))

    feed = Feed(DataVersion(path), changed)
    feed.start()
    for number in range(1, 51):
        writer.execute("UPDATE t SET n = ?", (number,))
    busy.set()
    await until(lambda: seen[-1:] == [50])
    await feed.close()
    assert len(seen) <= 3


async def test_calls_never_overlap(watched: tuple[sqlite3.Connection, Path]) -> None:
    """One adoption at a time."""
    writer, path = watched
    under_way, most, calls = 0, 0, 0

    async def changed(_heard: int | None) -> None:
        nonlocal under_way, most, calls
        under_way += 1
        most, calls = max(most, under_way), calls + 1
        writer.execute("UPDATE t SET n = n + 1")
        await asyncio.sleep(0.06)
        under_way -= 1

    feed = Feed(DataVersion(path), changed)
    feed.start()
    await until(lambda: calls >= 3)
    await feed.close()
    assert most == 1


async def test_a_failure_to_adopt_does_not_end_the_feed(
    watched: tuple[sqlite3.Connection, Path],
) -> None:
    """The database may come back."""
    writer, path = watched
    calls = 0

    async def changed(_heard: int | None) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise DatabaseUnavailable

    feed = Feed(DataVersion(path), changed)
    feed.start()
    await until(lambda: calls == 1)
    writer.execute("UPDATE t SET n = 1")
    await until(lambda: calls >= 2)
    await feed.close()


async def test_a_closed_feed_calls_no_more(watched: tuple[sqlite3.Connection, Path]) -> None:
    """Its thread is gone, too."""
    writer, path = watched
    calls = 0

    async def changed(_heard: int | None) -> None:
        nonlocal calls
        calls += 1

    feed = Feed(DataVersion(path), changed)
    feed.start()
    await until(lambda: calls == 1)
    await feed.close()
    writer.execute("UPDATE t SET n = 1")
    assert feed._thread is not None
    assert not feed._thread.is_alive()
    assert calls == 1
