"""Who runs which revision, over real processes: two services and an agent author's program."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.functional.test_processes_follow import CHILD, until
from tests.world.databases import ON_BOTH, POSTGRESQL
from tests.world.service import CONFIG, PROVIDERS, SEED, Service, events, run_command

FLEET: Final = "/system/llm/fleet"
EVENTS: Final = f"{FLEET}/events"
POLICY: Final = "/system/llm/policy"
MEMBER: Final = {
    "instance",
    "kind",
    "name",
    "host",
    "revision",
    "fingerprint",
    "backend",
    "model",
    "adopted_at",
    "feed",
    "state",
}


pytestmark = ON_BOTH


class Site(NamedTuple):
    """All processes of one site."""

    here: Service
    there: Service
    program: subprocess.Popen[bytes]

    def fleet(self) -> dict[str, Any]:
        """Give `GET /system/llm/fleet` as the first service answers it."""
        answer = self.here.client("viewer").get(FLEET)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def member(self, kind: str) -> dict[str, Any]:
        """Give the one process of a kind."""
        (found,) = (m for m in self.fleet()["instances"] if m["kind"] == kind)
        return dict(found)

    def change(self, wait: float, **wanted: object) -> dict[str, Any]:
        """Switch at the first service, and wait for the others."""
        answer = self.here.client().put(CONFIG, params={"wait": wait}, json=wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="module")
def site(
    database_kind: str, world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Start two services and a program with a runtime of its own on one state folder."""
    del database_kind  # asked for, so that each kind of database has its own processes
    folder = tmp_path_factory.mktemp("fleet")
    with (
        Service(folder, world_variables) as here,
        Service(folder, world_variables) as there,
        (folder / "program.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, CHILD],
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as program,
    ):
        found = Site(here, there, program)
        until(lambda: len(found.fleet()["instances"]) == 3)
        yield found
        program.kill()


def test_every_process_is_listed_as_the_contract_says(site: Site) -> None:
    """Two services and a program, each with all fields."""
    members = site.fleet()["instances"]
    assert sorted(m["kind"] for m in members) == ["api", "api", "library"]
    assert all(m.keys() == MEMBER for m in members)
    assert sorted(m["name"] for m in members) == ["asking_child.py", "aurorasoc", "aurorasoc"]


def test_every_process_hears_of_changes_at_once(site: Site, database_kind: str) -> None:
    """By the database's own means."""
    way = "listen" if database_kind == POSTGRESQL else "data_version"
    until(lambda: {m["feed"] for m in site.fleet()["instances"]} == {way})


def test_both_services_give_the_same_answer(site: Site) -> None:
    """What counts is what the database holds."""
    until(lambda: site.there.client("viewer").get(FLEET).json() == site.fleet())


def test_wait_answers_when_all_have_adopted(site: Site) -> None:
    """With nobody pending, and the fleet at the new revision."""
    answer = site.change(30, provider="ollama", model="waited-for")
    assert answer["adoption"] == {"adopted": True, "pending": []}
    members = site.fleet()["instances"]
    others = [m for m in members if m["kind"] == "library"]
    assert [(m["revision"], m["model"]) for m in others] == [(answer["revision"], "waited-for")]


def test_without_wait_nothing_is_said_of_adoption(site: Site) -> None:
    """The answer is what it was before there was a fleet."""
    answer = site.here.client().put(POLICY, json={"hosted_max_tlp": "CLEAR"})
    assert answer.json().keys() == {"revision", "active", "provider"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", CONFIG, {"provider": "vllm"}),
        ("PUT", POLICY, {"require_tlp": False}),
        ("PUT", f"{PROVIDERS}/deepseek/key", {"api_key": "sk-not-a-real-key-0000"}),
        ("DELETE", f"{PROVIDERS}/deepseek/key", None),
        ("POST", "/system/llm/rollback", {"revision": 1}),
        ("DELETE", CONFIG, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_change_can_wait(site: Site, method: str, path: str, body: object) -> None:
    """Each answers who has adopted it."""
    answer = site.here.client().request(method, path, params={"wait": 20}, json=body)
    assert (answer.status_code, answer.json().get("adoption")) == (
        200,
        {"adopted": True, "pending": []},
    )


@pytest.mark.parametrize("seconds", ["-1", "60.5", "nan", "inf", "soon"])
def test_wait_is_bounded(site: Site, seconds: str) -> None:
    """And nothing is changed where it isn't kept."""
    before = site.fleet()["revision"]
    wanted = {"provider": "ollama", "model": "never"}
    answer = site.here.client().put(CONFIG, params={"wait": seconds}, json=wanted)
    assert (answer.status_code, site.fleet()["revision"]) == (422, before)


def test_frozen_process_is_pending_until_it_goes_on(site: Site) -> None:
    """It is named, shown as behind, and adopts once it can."""
    frozen = site.member("library")["instance"]
    os.kill(site.program.pid, signal.SIGSTOP)
    try:
        answer = site.change(1, provider="ollama", model="not-by-all")
        behind = site.member("library")["state"]
    finally:
        os.kill(site.program.pid, signal.SIGCONT)
    assert answer["adoption"] == {"adopted": False, "pending": [frozen]}
    assert behind == "behind"
    until(lambda: site.member("library")["state"] == "current")


def test_process_with_another_environment_is_diverged(
    site: Site, world_variables: dict[str, str]
) -> None:
    """Equal revision, another boot default; it leaves the fleet when it is stopped."""
    own = {**world_variables, "LLM_VLLM_MODEL": "another"}
    with Service(site.here.folder, own):
        until(lambda: len(site.fleet()["instances"]) == 4)
        states = sorted(m["state"] for m in site.fleet()["instances"])
    assert states == ["current", "current", "current", "diverged"]
    until(lambda: len(site.fleet()["instances"]) == 3)


def test_commands_at_the_shell_are_not_in_the_fleet(site: Site) -> None:
    """They are over before anyone could wait for them."""
    before = {m["instance"] for m in site.fleet()["instances"]}
    assert site.here.command("providers", "use", "ollama").returncode == 0
    assert {m["instance"] for m in site.fleet()["instances"]} == before


def test_stream_sends_the_fleet_at_once_and_on_each_change(site: Site) -> None:
    """The same document as the call's, as an event `fleet`."""
    with site.there.client("viewer").stream("GET", EVENTS) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = _next(lines)
        revision = site.change(0, provider="ollama", model="streamed")["revision"]
        seen = first
        while {m["revision"] for m in seen["instances"]} != {revision}:
            seen = _next(lines)
    assert first.keys() == {"revision", "instances"}
    assert seen == site.fleet()


def _next(lines: Iterator[str]) -> dict[str, Any]:
    """Read one event `fleet`."""
    block: list[str] = []
    for line in lines:
        if not line:
            ((name, data),) = events("\n".join(block))
            assert name == "fleet"
            return data
        block.append(line)
    raise AssertionError(json.dumps(block))


@pytest.mark.parametrize("path", [FLEET, EVENTS])
def test_only_who_may_read_agents_sees_the_fleet(site: Site, path: str) -> None:
    """A viewer may; a service account may not, nor does anyone without a token."""
    assert site.here.client("api_service").get(path).status_code == 403
    with site.here.anonymous() as nobody:
        assert nobody.get(path).status_code == 401


def test_metrics_count_the_fleet_and_time_adoptions(site: Site) -> None:
    """At the process that adopted what another one changed."""
    site.change(20, provider="vllm")
    text = httpx.get(f"{site.there.url}/metrics", trust_env=False).text
    assert 'aurorasoc_instances{state="current"} 3.0' in text
    (count,) = (
        line.split()[1]
        for line in text.splitlines()
        if line.startswith("aurorasoc_adoption_seconds_count")
    )
    assert float(count) > 0


def test_each_adoption_is_a_log_line_with_its_latency(site: Site) -> None:
    """Seconds from when it was written; none where it was written. Both services share a log."""
    revision = site.change(20, provider="ollama", model="logged")["revision"]
    lines = [json.loads(x) for x in site.there.output.splitlines() if '"adopted"' in x]
    latencies = [line["latency"] for line in lines if line["revision"] == revision]
    assert latencies.count(None) == 1
    assert [0 <= latency < 10 for latency in latencies if latency is not None] == [True]


def test_service_that_stops_leaves_the_fleet(site: Site, world_variables: dict[str, str]) -> None:
    """At once: nobody waits for it."""
    with Service(site.here.folder, world_variables):
        until(lambda: len(site.fleet()["instances"]) == 4)
    assert len(site.fleet()["instances"]) == 3


def test_seeds_are_not_rotated_under_a_process_that_lacks_the_new_one(site: Site) -> None:
    """The refusal names all of them, and every key stays readable for them."""
    new = {"AURORA_SECRET_KEY": "seed-after-the-rotation-0123456789abcdef"}
    env = site.here.env | new | {"AURORA_SECRET_KEY_PREVIOUS": SEED}
    done = run_command("keys", "rotate", env=env, cwd=site.here.folder)
    assert done.returncode == 2
    assert all(m["instance"] in done.stderr for m in site.fleet()["instances"])


def test_of_two_admins_at_one_revision_one_succeeds(site: Site) -> None:
    """At two processes, at the same time, ten times over: never both, never neither."""
    for number in range(10):
        revision = site.fleet()["revision"]

        def change(service: Service, at: int = revision, turn: int = number) -> int:
            wanted = {"provider": "ollama", "model": f"race-{turn}-{service.port}"}
            headers = {"If-Match": f'"{at}"'}
            return service.client().put(CONFIG, json=wanted, headers=headers).status_code

        with ThreadPoolExecutor(2) as admins:
            statuses = list(admins.map(change, (site.here, site.there)))
        assert sorted(statuses) == [200, 412]
        assert site.fleet()["revision"] == revision + 1


def test_stream_ends_with_the_service_and_does_not_hold_it_up(
    world_variables: dict[str, str], tmp_path: Path
) -> None:
    """A settings page that is open all day long must not make each restart wait."""
    with Service(tmp_path, world_variables) as service:
        with service.client("viewer").stream("GET", EVENTS) as stream:
            lines = stream.iter_lines()
            _next(lines)
            os.kill(service.pid, signal.SIGTERM)
            list(lines)  # to its end, which is none that a cut connection has
        service.wait()
    assert '"error"' not in service.output
