"""A stop of hosted traffic, as the provider sees it: no byte comes later than a second after it.

Processes stream from a provider on loopback that never ends an answer. They are stopped with the
database up and away, and while one of them is frozen, in the middle of whatever it did.
"""

import asyncio
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.llm.changes.requests import HostedTrafficRequest
from aurorasoc.llm.fleet.registry import FleetView
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import API_KEY, JWT_SECRET, settings
from tests.functional.test_database_away import locked
from tests.world.canaries import SOAK
from tests.world.databases import DATABASES, SQLITE
from tests.world.forked import Forked, run_program
from tests.world.processes import ChildProcess, bare_env, until
from tests.world.watched_vendor import Caller, WatchedVendor

PROCESSES: Final = 20 if SOAK else 10
RESTLESS: Final = 3
"""How many of them hang up and ask anew all the time; one of these is frozen."""

ROUNDS: Final = 10 if SOAK else 1
PROMISED: Final = 1.0
"""Seconds after a stop's answer, or after a frozen process wakes, in which a byte may come."""

QUIET: Final = 1.5
"""Seconds behind that in which none may."""

MOMENT: Final = 2.0
"""Seconds for which a stream that a restless process left counts as one."""

CHILD: Final = Path(__file__).with_name("streaming_child.py")
COMMAND: Final = [sys.executable, "-m", "aurorasoc.cli"]


@dataclass
class Fleet:
    """The processes, the provider that they stream from, and the state folder that they share."""

    folder: Path
    variables: dict[str, str]
    vendor: WatchedVendor
    children: dict[str, ChildProcess]

    def everywhere(self, state: str) -> None:
        """Stop or allow by the database, and return with the answer."""
        self._ask(lambda runtime: _say(runtime, state))

    def here(self, *arguments: str) -> None:
        """Stop or allow by this host's file, as an operator does."""
        command = [*COMMAND, "hosted", *arguments, "--here", "--reason", "incident"]
        done = run_program(command, env=self.env)
        assert done.returncode == 0, done.stderr

    def view(self) -> FleetView:
        """Return what the processes report."""
        return self._ask(lambda runtime: runtime.fleet.look())  # type: ignore[no-any-return]  # a view

    @property
    def env(self) -> dict[str, str]:
        """The processes' environment."""
        base = {"AURORA_STATE_DIR": str(self.folder), "JWT_SECRET_KEY": JWT_SECRET}
        return bare_env(**base, **self.variables)

    def streams(self) -> bool:
        """Whether every process has an open stream; who hangs up may have had one a moment ago."""
        streaming = {_name(one) for one in self.vendor.open}
        left = {_name(one) for one in self.vendor.left_within(MOMENT)}
        return (
            streaming >= {*list(self.children)[RESTLESS:]}
            and streaming | left >= self.children.keys()
        )

    def _ask(self, work: Callable[[Runtime], Any]) -> Any:  # noqa: ANN401 - whatever it returns
        async def run() -> Any:  # noqa: ANN401 - as above
            async with open_runtime(settings(self.folder, **self.variables), kind=None) as runtime:
                return await work(runtime)

        return asyncio.run(run())


async def _say(runtime: Runtime, state: str) -> None:
    body = HostedTrafficRequest.model_validate({"state": state, "reason": "incident"})
    await runtime.admin.set_hosted_traffic(body, actor="alice")


def _name(caller: Caller) -> str:
    return str(caller.requests[-1]["messages"][-1]["content"])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start the processes, and wait until all of them stream."""
    folder = tmp_path_factory.mktemp("stopped")
    with WatchedVendor() as vendor, ExitStack() as running:
        stored = DATABASES.migrated(folder)
        variables = {
            "AURORA_DATABASE_URL": stored.url,
            "AURORA_ALLOWED_HOSTS": "127.0.0.1",
            "LLM_BACKEND": "openai",
            "LLM_MAX_RETRIES": "0",
            "LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY,
            "LLM_OPENAI_COMPATIBLE_BASE_URL": vendor.url,
        }
        world = Fleet(folder, variables, vendor, {})
        for number in range(PROCESSES):
            name, seconds = f"agent-{number}", "0.05" if number < RESTLESS else "3600"
            world.children[name] = ChildProcess(
                [sys.executable, CHILD, name, seconds],
                env=world.env,
                log=folder / f"{name}.log",
                cwd=folder,
                popen=Forked,
            )
        for child in world.children.values():
            running.enter_context(child)
        yield world


@pytest.fixture(autouse=True)
def _streaming(fleet: Fleet) -> Iterator[None]:
    """Begin with an open stream in each process, and leave nothing stopped."""
    until(fleet.streams)
    yield
    if (fleet.folder / "hosted.stop").exists():
        fleet.here("allow")
    fleet.everywhere("allowed")
    until(fleet.streams)


def require_quiet(fleet: Fleet, answered: float) -> None:
    """Require that no byte comes later than promised, and that every connection is closed."""
    time.sleep(max(0.0, answered + PROMISED + QUIET - time.monotonic()))
    assert fleet.vendor.last_byte <= answered + PROMISED, fleet.vendor.last_byte - answered
    assert not fleet.vendor.open


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_stop_is_one_for_the_provider(fleet: Fleet, _round: int) -> None:
    """In every process; and each says so, and when it last exchanged a byte."""
    fleet.everywhere("stopped")
    answered, wall = time.monotonic(), time.time()
    require_quiet(fleet, answered)
    members = [one for one in fleet.view().instances if one.kind == "library"]
    assert len(members) == PROCESSES
    assert all(one.hosted_stopped for one in members)
    latest = max(str(one.last_hosted_at) for one in members)
    assert latest <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall + PROMISED + 1))


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_stop_works_while_the_database_is_away(fleet: Fleet, _round: int) -> None:
    """By a file on the host; who asks the database meanwhile is of no account."""
    with _away(fleet):
        fleet.here("stop")
        require_quiet(fleet, time.monotonic())
    fleet.here("allow")
    until(fleet.streams)


@pytest.mark.parametrize("how", ["everywhere", "here"])
@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_frozen_process_sends_nothing_once_it_wakes(fleet: Fleet, how: str, _round: int) -> None:
    """Wherever in a call it was frozen, it asks whether it still may."""
    frozen = fleet.children[f"agent-{_round % RESTLESS}"]
    _freeze(fleet, frozen)
    try:
        if how == "here":
            fleet.here("stop")
        else:
            fleet.everywhere("stopped")
        answered = time.monotonic()
        time.sleep(PROMISED + 0.2)
        assert fleet.vendor.last_byte <= answered + PROMISED
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    woken = time.monotonic()
    require_quiet(fleet, woken)
    assert fleet.vendor.last_byte < woken, "it sent something before it had looked"


def _freeze(fleet: Fleet, child: ChildProcess) -> None:
    """Freeze a process while it doesn't hold the database's lock: then that is away, too."""
    child.process.send_signal(signal.SIGSTOP)
    while not _is_writable(fleet):
        child.process.send_signal(signal.SIGCONT)
        until(lambda: _is_writable(fleet))
        child.process.send_signal(signal.SIGSTOP)


def _is_writable(fleet: Fleet) -> bool:
    """Whether the database is to be had within seconds; a PostgreSQL always is."""
    if DATABASES.kind != SQLITE:
        return True
    with closing(sqlite3.connect(fleet.folder / "aurorasoc.db", timeout=5)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


@contextmanager
def _away(fleet: Fleet) -> Iterator[None]:
    """Take the database away, as a broken file system does; PostgreSQL is other tests' subject."""
    if DATABASES.kind != SQLITE:
        pytest.skip("the run's PostgreSQL is shared")
    with locked(fleet.folder / "aurorasoc.db"):
        yield
