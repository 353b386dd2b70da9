"""A fleet on PostgreSQL follows every switch, while parts of it break and heal.

Agents' processes call their model without a pause, API workers are asked in between. One agent is
parted from the database and heals, one is killed and started again, and PostgreSQL is restarted.
Nobody may call what was switched away after having adopted the switch, and nobody who is connected
may miss a revision.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.world.canaries import SOAK
from tests.world.databases import Stored
from tests.world.forked import Forked
from tests.world.postgresql import PostgreSQL
from tests.world.processes import ChildProcess, until
from tests.world.relay import Relay
from tests.world.service import CONFIG, Service, asked, bearer, token
from tests.world.vendor import VendorServer

AGENTS: Final = 20 if SOAK else 3
WORKERS: Final = 4 if SOAK else 2
SWITCHES: Final = 200 if SOAK else 12
PAUSE_SECONDS: Final = 1.0 if SOAK else 0.2
STARTED_AT_ONCE: Final = 3
PATIENCE: Final = 60.0
CHILD: Final = Path(__file__).parent / "calling_child.py"


class Agent(ChildProcess):
    """One agent's process; ready when it has called its model."""

    def __init__(self, folder: Path, env: dict[str, str], name: str) -> None:
        """Describe it; what it tells goes to a log of its own."""
        self.name = name
        super().__init__(
            [sys.executable, CHILD, str(PAUSE_SECONDS)],
            env=env,
            ready=lambda: bool(self.calls),
            log=folder / f"{name}.log",
            cwd=folder,
            deadline=3 * PATIENCE,
            popen=Forked,
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it told so far; a line that a kill cut short is none."""
        return [json.loads(line) for line in self.output.splitlines() if line.endswith("}")]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Its calls."""
        return [line for line in self.lines if line["event"] == "call"]

    @property
    def adopted(self) -> list[int]:
        """The revisions that it adopted, in order."""
        return [int(line["revision"]) for line in self.lines if line["event"] == "adopted"]


@dataclass
class Fleet:
    """All processes, which agents are away, and whether one was killed, which stays listed."""

    server: PostgreSQL
    service: Service
    relay: Relay
    agents: list[Agent]
    away: list[Agent] = field(default_factory=list)
    killed: bool = False

    def switch(self, number: int) -> int:
        """Switch as an admin does, again while the database is away; give the revision."""
        body = {"provider": ("ollama", "vllm")[number % 2], "model": f"model-{number}"}
        answer = self._put(body)
        end = time.monotonic() + PATIENCE
        while answer.status_code != 200:
            assert (answer.json()["code"], time.monotonic() < end) == ("database_unavailable", True)
            time.sleep(0.05)
            answer = self._put(body)
        return self._adopted(answer.json())

    def _adopted(self, answer: dict[str, Any]) -> int:
        """Wait until all but those who are away have adopted; give the revision."""
        revision = int(answer["revision"])
        assert answer["adoption"]["adopted"] or self.away or self.killed, answer["adoption"]
        until(lambda: self._runs(revision))
        return revision

    def _runs(self, revision: int) -> bool:
        """Tell whether all who can be reached run a revision; the agents' own logs say so."""
        current = [int(member["revision"]) for member in self.members() if member["kind"] == "api"]
        current += [agent.adopted[-1] for agent in self.agents if agent not in self.away]
        return min(current) >= revision

    def _put(self, body: dict[str, str]) -> httpx.Response:
        wait = 0 if self.away or self.killed else PATIENCE
        return self.service.client().put(CONFIG, json=body, params={"wait": wait})

    def ask(self, revision: int) -> None:
        """Ask the workers, as the port deals them out: none answers with what was before."""
        for _ in range(WORKERS):
            with self.service.anonymous(bearer(token())) as client:
                answer = client.post("/chat", json=asked())
            assert answer.status_code == 200, answer.text
            assert answer.json()["revision"] >= revision

    def members(self) -> list[dict[str, Any]]:
        """Return the fleet as an admin sees it."""
        answer = self.service.client().get("/system/llm/fleet")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["instances"])

    def part(self) -> None:
        """Cut the first agent's way to the database."""
        self.away.append(self.agents[0])
        self.relay.cut()

    def heal(self) -> None:
        """Mend it; the agent finds what it missed by itself."""
        revision = self.service.inventory()["revision"]
        self.relay.heal()
        until(lambda: self.agents[0].adopted[-1] == revision)
        self.away.remove(self.agents[0])

    def kill(self) -> None:
        """Kill the second agent; for a while it is still counted among the living."""
        self.away.append(self.agents[1])
        self.killed = True
        self.agents[1].kill()

    def restart_agent(self) -> None:
        """Start the second agent anew."""
        self.agents[1].start()
        self.away.remove(self.agents[1])

    def restart_database(self) -> None:
        """Restart PostgreSQL under everyone."""
        self.server.terminate()
        self.server.start()


class Played(NamedTuple):
    """What is left when all switches are made."""

    agents: list[Agent]
    revision_of: dict[str, int]
    last: int
    members: list[dict[str, Any]]


@pytest.fixture(scope="module")
def fleet(local_servers: VendorServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start PostgreSQL, the workers, and the agents, a few at a time: each loads the libraries."""
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as running:
        server = running.enter_context(PostgreSQL())
        relay = running.enter_context(Relay(server.port))
        variables = {
            "AURORA_DATABASE_URL": server.create(),
            "AURORA_WORKERS": str(WORKERS),
            "LLM_VLLM_BASE_URL": f"{local_servers.url}/v1",
            "LLM_OLLAMA_BASE_URL": local_servers.url,
        }
        service = running.enter_context(Service(folder, variables))
        parted = {**service.env, "AURORA_DATABASE_URL": relay.leading_to(service.stored.url)}
        environments = [parted, *([service.env] * (AGENTS - 1))]
        agents = [Agent(folder, env, f"agent-{n}") for n, env in enumerate(environments)]
        with ThreadPoolExecutor(STARTED_AT_ONCE) as starting:
            list(starting.map(running.enter_context, agents))
        yield Fleet(server, service, relay, agents)


@pytest.fixture(scope="module")
def played(fleet: Fleet) -> Played:
    """Make all switches, and break what is to be broken on the way."""
    deeds = (fleet.part, fleet.heal, fleet.kill, fleet.restart_agent, fleet.restart_database)
    due = {SWITCHES * (n + 1) // (len(deeds) + 1): deed for n, deed in enumerate(deeds)}
    for number in range(SWITCHES):
        if number in due:
            due[number]()
        fleet.ask(fleet.switch(number))
    last = fleet.service.inventory()["revision"]
    until(lambda: all(agent.calls[-1]["began"] == last for agent in fleet.agents))
    if SOAK:
        until(lambda: len(fleet.members()) == AGENTS + WORKERS)  # the killed one has aged out
    return Played(fleet.agents, revisions_of_models(fleet.service.stored), last, fleet.members())


def revisions_of_models(stored: Stored) -> dict[str, int]:
    """Return the revision that set each model."""
    revisions = {}
    for revision, text in stored.rows("SELECT revision, config FROM llm_revisions"):
        config = json.loads(text)
        revisions[config["providers"][config["backend"]]["model"]] = int(revision)
    return revisions


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_no_call_was_stale(played: Played) -> None:
    """Whatever a process had adopted when a call began, the call went there or to what is newer."""
    calls = [call for agent in played.agents for call in agent.calls]
    answered_at = {"granite4:8b": 0, "granite-soc-specialist": 0} | played.revision_of
    assert [call for call in calls if answered_at[call["model"]] < call["began"]] == []
    assert {call["began"] for call in calls} >= {played.last}
    sys.stdout.write(f"{len(calls)} calls, {summary(played)}\n")


def summary(played: Played) -> str:
    """Say how soon the agents had adopted, where they were connected."""
    lines = [line for agent in played.agents[2:] for line in agent.lines]
    times = sorted(line["latency"] for line in lines if line.get("latency") is not None)
    cuts = quantiles(times, n=100)
    return f"{len(times)} adoptions, p50 {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s, max {times[-1]} s"


@pytest.mark.soak
def test_no_revision_was_missed(played: Played) -> None:
    """Who was connected adopted each, in order, also across the database's restart."""
    for agent in played.agents[2:]:
        assert agent.adopted == list(range(agent.adopted[0], played.last + 1)), agent.name
        assert agent.adopted[0] == 0


@pytest.mark.soak
def test_nobody_goes_back(played: Played) -> None:
    """The parted and the killed one, too, only ever adopt what is newer, and come to the last."""
    for agent in played.agents:
        assert all(a < b for a, b in pairwise(agent.adopted)), agent.name
        assert agent.adopted[-1] == played.last


@pytest.mark.soak
def test_agents_are_answered_all_the_time(played: Played) -> None:
    """Neither a parted network nor a database that restarts costs a call."""
    lines = [line for agent in played.agents for line in agent.lines]
    assert [line for line in lines if line["event"] == "failed call"] == []


@pytest.mark.soak
def test_fleet_shows_all_of_them_at_one_configuration(played: Played) -> None:
    """Everyone who lives, and nobody else; who was killed may take half a minute to age out."""
    current = [member for member in played.members if member["state"] == "current"]
    assert {member["revision"] for member in current} == {played.last}
    assert Counter(member["kind"] for member in current) == {"api": WORKERS, "library": AGENTS}
    assert len(played.members) - len(current) <= (0 if SOAK else 1)
