"""This host's stop file: seen by each process, with or without a database, frozen or not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpcore
import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.errors import HostedStopped
from aurorasoc.llm.adoption.stop_file import make_stop, release_in, remove_stop, stop_in
from aurorasoc.llm.changes.host_stops import BY_HAND
from aurorasoc.llm.fleet.stop_watch import FROZEN_SECONDS, StopWatch
from aurorasoc.llm.wire import awake
from aurorasoc.llm.wire.libraries.socket_guard import confined
from aurorasoc.llm.wire.sending.awake_streams import AwakeStream
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import table_away, until
from tests.component.llm.models.test_stop import ended, stream_all, variables
from tests.examples import settings
from tests.world.databases import Stored
from tests.world.watched_vendor import WatchedVendor

PING: Final[list[Any]] = [UserMessage("ping")]
STOP: Final = HostedTraffic("stopped", "2026-11-28T01:00:00.000000Z", "root@soc-7", "breach")
SOON: Final = 1.0


@pytest.fixture
def vendor() -> Iterator[WatchedVendor]:
    """Start the provider."""
    with WatchedVendor() as server:
        yield server


@pytest.fixture
async def opened(
    libraries: None, vendor: WatchedVendor, tmp_path: Path, database_file: Path
) -> AsyncIterator[Runtime]:
    """Open a runtime whose active connection is hosted."""
    del libraries
    async with open_runtime(settings(tmp_path, **variables(vendor, database_file))) as runtime:
        yield runtime


def audited(database_file: Path) -> list[tuple[str, str, str | None]]:
    """Return who is recorded to have stopped or allowed a host's traffic, and why."""
    rows = Stored(f"sqlite:///{database_file}").rows("SELECT entry FROM user_audit_log")
    entries = [json.loads(entry) for (entry,) in rows]
    return [(one["action"], one["actor"], one["details"]["reason"]) for one in entries]


async def test_a_file_stops_what_is_under_way_while_the_database_is_away(
    opened: Runtime, vendor: WatchedVendor, tmp_path: Path, database_file: Path
) -> None:
    """Within a second; and it is audited once the database is back, with its release."""
    async with table_away(database_file, "user_audit_log"):
        call: asyncio.Task[object] = asyncio.ensure_future(stream_all())
        await until(lambda: bool(vendor.open))
        assert make_stop(tmp_path, STOP)
        failure = await ended(call)
        assert isinstance(failure, HostedStopped)
        assert "root@soc-7" in failure.detail
        await until(lambda: not vendor.open, SOON)
        shown = (await opened.admin.inventory()).hosted_traffic
        assert (shown.here, shown.by, shown.reason) == (True, "root@soc-7", "breach")
        assert remove_stop(tmp_path, by="root@soc-7", reason="all clear", since=str(STOP.since))
        await until(lambda: opened.adoption.snapshot.stop is None, SOON)
    await until(lambda: len(audited(database_file)) == 2)
    assert audited(database_file) == [
        ("llm.hosted.stopped", "root@soc-7", "breach"),
        ("llm.hosted.allowed", "root@soc-7", "all clear"),
    ]


async def test_a_file_holds_for_a_process_that_starts_later_and_is_audited_once(
    opened: Runtime, vendor: WatchedVendor, tmp_path: Path, database_file: Path
) -> None:
    """An empty one, made by hand, as well."""
    (tmp_path / "hosted.stop").touch()
    await until(lambda: bool(audited(database_file)))
    boot = opened.settings
    await until(lambda: opened.adoption.snapshot.stop is not None, SOON)
    first = audited(database_file)
    async with asyncio.timeout(60):
        with pytest.raises(HostedStopped):
            await get_chat_model().run(PING)
    assert boot.server.state_dir == tmp_path
    assert (len(first), first[0][0]) == (1, "llm.hosted.stopped")
    assert vendor.callers == []


async def test_each_stop_and_each_end_is_audited_in_order(
    opened: Runtime, tmp_path: Path, database_file: Path
) -> None:
    """Though all were over when the database came back, and the last ended by hand."""
    since, again = str(STOP.since), "2026-11-28T02:00:00.000000Z"

    async def shown(*, stopped: bool) -> None:
        await until(lambda: (opened.adoption.snapshot.stop is not None) == stopped, SOON)

    async with table_away(database_file, "user_audit_log"):
        make_stop(tmp_path, STOP)
        await shown(stopped=True)
        remove_stop(tmp_path, by="root@soc-7", reason="all clear", since=since)
        await shown(stopped=False)
        make_stop(tmp_path, replace(STOP, since=again, reason="again"))
        await shown(stopped=True)
        opened.adoption.stop_here(HostedTraffic("stopped", reason="can't be looked at"))
        (tmp_path / "hosted.stop").unlink()
        await shown(stopped=False)
    await until(lambda: len(audited(database_file)) == 4)
    assert [(action, reason) for action, _, reason in audited(database_file)] == [
        ("llm.hosted.stopped", "breach"),
        ("llm.hosted.allowed", "all clear"),
        ("llm.hosted.stopped", "again"),
        ("llm.hosted.allowed", BY_HAND),
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 9000, b'{"reason": "a\\nb"}', b"[1]"])
def test_whatever_the_file_holds_it_stops(tmp_path: Path, content: bytes) -> None:
    """Who made it is read from its owner then, and when from its time."""
    (tmp_path / "hosted.stop").write_bytes(content)
    stop = stop_in(tmp_path)
    assert stop is not None
    assert (stop.state, stop.reason) == ("stopped", None)
    assert str(stop.by).startswith("uid ")


def test_a_link_and_a_folder_stop_too(tmp_path: Path) -> None:
    """A link is never followed: it may lead to a device, or to a secret."""
    (tmp_path / "secret").write_text('{"reason": "secret"}')
    (tmp_path / "hosted.stop").symlink_to(tmp_path / "secret")
    linked = stop_in(tmp_path)
    assert linked is not None
    assert linked.reason is None
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "hosted.stop").mkdir()
    assert stop_in(tmp_path / "other") is not None
    assert stop_in(tmp_path / "nowhere") is None


def test_a_stop_that_cannot_be_removed_is_not_noted_as_released(tmp_path: Path) -> None:
    """The audit log would say that traffic was allowed."""
    (tmp_path / "hosted.stop").mkdir()
    with pytest.raises(OSError, match=r"hosted\.stop"):
        remove_stop(tmp_path, by="root", reason="all clear", since=str(STOP.since))
    assert release_in(tmp_path) is None
    assert stop_in(tmp_path) is not None


class _Clock:
    """A clock that a test sets forward, as if the process had been frozen."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Socket(httpcore.AsyncNetworkStream):
    """Notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        del timeout
        self.written.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


async def test_a_process_that_was_frozen_sends_nothing_until_it_has_caught_up(
    tmp_path: Path,
) -> None:
    """It looks at the file and asks the database before its next byte; whoever is refused ends."""
    clock, sink, asked, answered = _Clock(), _Socket(), asyncio.Event(), asyncio.Event()
    stops: list[HostedTraffic | None] = []

    async def follow() -> None:
        await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 5432)  # as to reach a database
        asked.set()
        await answered.wait()

    async def send(data: bytes) -> None:
        with confined():  # as in a model call, which may reach none
            await stream.write(data)

    watch = StopWatch(tmp_path, stops.append, follow, clock)
    stream = AwakeStream(sink)
    await watch.start()
    awake.follow(watch)
    try:
        await send(b"before")
        clock.now += FROZEN_SECONDS + 1
        make_stop(tmp_path, STOP)
        writing = asyncio.create_task(send(b"after"))
        await asyncio.wait_for(asked.wait(), 10)
        assert stops[-1] == STOP
        assert sink.written == [b"before"]
        writing.cancel()  # as the stop does, before it has caught up
        answered.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await send(b"allowed")
        assert sink.written == [b"before", b"allowed"]
    finally:
        awake.follow(None)
        await watch.close()
