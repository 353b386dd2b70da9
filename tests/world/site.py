"""All processes of one site: two services and an agent author's program on one database."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.world.databases import bring_to_head
from tests.world.forked import Forked
from tests.world.processes import together, until
from tests.world.service import CONFIG, Service
from tests.world.vendor import VendorServer

CHILD: Final = Path(__file__).parents[1] / "functional" / "asking_child.py"
FLEET: Final = "/system/llm/fleet"
START_SECONDS: Final = 180.0
WAIT_SECONDS: Final = 60.0
"""The longest that a change may wait for the others."""


class Agent:
    """The agent author's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to a running `asking_child.py`."""
        self._process = process
        self.pid = process.pid

    def ask(self) -> str:
        """Let it ask its model, and give what the model said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("ping\n")
        self._process.stdin.flush()
        return str(json.loads(self._process.stdout.readline()))


class Site(NamedTuple):
    """All processes of one site."""

    here: Service
    there: Service
    agent: Agent

    def fleet(self) -> dict[str, Any]:
        """Return `GET /system/llm/fleet` as the first service answers it."""
        answer = self.here.client("viewer").get(FLEET)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def members(self) -> list[dict[str, Any]]:
        """Return the fleet's processes."""
        return list(self.fleet()["instances"])

    def member(self, kind: str) -> dict[str, Any]:
        """Return the one process of a kind."""
        (row,) = (member for member in self.members() if member["kind"] == kind)
        return dict(row)

    def change(self, wait: float, **fields: object) -> dict[str, Any]:
        """Switch at the first service, and wait for the others."""
        answer = self.here.client().put(CONFIG, params={"wait": wait}, json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def revision(self) -> int:
        """The revision that the first service runs."""
        return int(self.here.inventory()["revision"])

    def switch(self, provider: str) -> None:
        """Switch at the first service, and don't wait."""
        answer = self.here.client().put(CONFIG, json={"provider": provider})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def processes(
    database_kind: str, world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Start two services and a program with a runtime of its own on one state folder."""
    del database_kind  # asked for, so that each kind of database has its own processes
    folder = tmp_path_factory.mktemp("site")
    here, there = (Service(folder, site_variables(world_variables)) for _ in range(2))
    bring_to_head(here.stored)
    with (
        (folder / "agent.log").open("w") as log,
        Forked(
            [sys.executable, CHILD],
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            with together(here, there):
                site = Site(here, there, Agent(process))
                until(lambda: len(site.members()) == 3, START_SECONDS)
                site.switch("ollama")  # so that there is a revision 1 to go back to
                yield site
        finally:
            process.kill()


def site_variables(world_variables: dict[str, str]) -> dict[str, str]:
    """Return the environment that all services of the site share."""
    return {**world_variables, "LLM_BACKEND": "vllm"}


@pytest.fixture
def site(processes: Site, hosted: VendorServer, local_servers: VendorServer) -> Iterator[Site]:
    """Yield the processes at their boot defaults."""
    processes.here.reset()
    until(lambda: processes.there.inventory()["revision"] == processes.revision())
    hosted.clear()
    local_servers.clear()
    yield processes
    hosted.clear()
    local_servers.clear()
