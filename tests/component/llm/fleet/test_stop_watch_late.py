"""A state folder that hangs for a while, and a process that is frozen while it catches up."""

import asyncio
import threading
from pathlib import Path

import pytest

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.llm.adoption.stop_file import mark_of
from aurorasoc.llm.fleet import stop_watch
from aurorasoc.llm.fleet.stop_watch import FROZEN_SECONDS, StopWatch
from tests.component.live import until


async def _nothing() -> None:
    """Follow nobody."""


class _HangingDisk:
    """Stands for a disk that answers nobody until it is set; a real one can't be made to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.waiting = 0
        monkeypatch.setattr(stop_watch, "mark_of", self._mark)

    def _mark(self, folder: Path) -> object:
        self.waiting += 1
        self.answers.wait()
        self.waiting -= 1
        return mark_of(folder)


async def test_a_disk_that_hung_stops_traffic_until_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No longer: nobody would remove a file that isn't there. And it takes one thread, not all."""
    monkeypatch.setattr(stop_watch, "LATE_SECONDS", 0.05)
    disk, stops = _HangingDisk(monkeypatch), list[HostedTraffic | None]()
    watch = StopWatch(tmp_path, stops.append, _nothing)
    await watch.start()
    disk.answers.clear()
    try:
        await until(lambda: disk.waiting == 1)  # the thread that looks for changes
        for _ in range(5):
            await watch.caught_up()
        assert stops[-1] is not None
        assert disk.waiting == 2
        disk.answers.set()
        await until(lambda: stops[-1] is None)
    finally:
        disk.answers.set()
        await watch.close()


async def test_a_process_that_is_frozen_again_catches_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was told before it was frozen says nothing of the time since."""
    monkeypatch.setattr(stop_watch, "LOOK_SECONDS", 60)  # the thread wakes up last
    now, asked, answers = [0.0], asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def follow() -> None:
        asked.release()
        await answers.acquire()

    watch = StopWatch(tmp_path, lambda _stop: None, follow, lambda: now[0])
    await watch.start()
    try:
        now[0] += FROZEN_SECONDS + 1
        first = asyncio.create_task(watch.caught_up())
        await asked.acquire()
        now[0] += FROZEN_SECONDS + 1
        second = asyncio.create_task(watch.caught_up())
        await asyncio.sleep(0)
        answers.release()
        async with asyncio.timeout(60):
            await asked.acquire()
        assert not second.done()
        answers.release()
        await asyncio.gather(first, second)
    finally:
        await watch.close()
