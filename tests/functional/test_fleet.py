"""Two services, an agent's process and a shell on one database: what one changes, all run.

Who runs which revision, and how soon, is told by each of them.
"""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import pytest

from tests.world import patient
from tests.world.databases import ON_BOTH, POSTGRESQL
from tests.world.fixtures import VENDOR_KEYS
from tests.world.processes import until
from tests.world.service import CONFIG, POLICY, PROVIDERS, SEED, Service, asked, events, run_command
from tests.world.site import FLEET, WAIT_SECONDS, Site, processes, site, site_variables
from tests.world.vendor import VendorServer

__all__ = ["processes", "site"]  # pytest finds them here

EVENTS: Final = f"{FLEET}/events"
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
    "hindrances",
    "differences",
    "hosted_stopped",
    "last_hosted_at",
    "not_asked",
}

pytestmark = ON_BOTH


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
    answer = site.change(WAIT_SECONDS, provider="ollama", model="waited-for")
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
    answer = site.here.client().request(method, path, params={"wait": WAIT_SECONDS}, json=body)
    assert (answer.status_code, answer.json().get("adoption")) == (
        200,
        {"adopted": True, "pending": []},
    )


def test_a_change_of_key_says_who_may_still_use_the_old_one(site: Site) -> None:
    """Only where it waited for the others, and only where there was an old one."""
    admin, path, wait = site.here.client(), f"{PROVIDERS}/deepseek/key", {"wait": WAIT_SECONDS}
    first = admin.put(path, params=wait, json={"api_key": "sk-not-a-real-key-0001"}).json()
    unasked = admin.put(path, json={"api_key": "sk-not-a-real-key-0002"}).json()
    replaced = admin.put(path, params=wait, json={"api_key": "sk-not-a-real-key-0003"}).json()
    removed = admin.delete(path, params=wait).json()
    answers = (first, unasked, replaced, removed)
    assert [answer.get("old_key") for answer in answers] == [None, None, "ending", "unused"]
    used = [answer.get("old_key_last_used_at", "left out") for answer in answers]
    assert used == ["left out", "left out", None, None]
    assert "old_key_tags" not in removed


@pytest.mark.parametrize("seconds", ["-1", "60.5", "nan", "inf", "soon"])
def test_wait_is_bounded(site: Site, seconds: str) -> None:
    """And nothing is changed where it isn't kept."""
    before = site.fleet()["revision"]
    requested = {"provider": "ollama", "model": "never"}
    answer = site.here.client().put(CONFIG, params={"wait": seconds}, json=requested)
    assert (answer.status_code, site.fleet()["revision"]) == (422, before)


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
    site.change(WAIT_SECONDS, provider="vllm")
    text = patient.get(f"{site.there.url}/metrics").text
    assert 'aurorasoc_instances{state="current"} 3.0' in text
    (count,) = (
        line.split()[1]
        for line in text.splitlines()
        if line.startswith("aurorasoc_adoption_seconds_count")
    )
    assert float(count) > 0


def test_each_adoption_is_a_log_line_with_its_latency(site: Site) -> None:
    """Seconds from when it was written; none where it was written. Both services share a log."""
    revision = site.change(WAIT_SECONDS, provider="ollama", model="logged")["revision"]
    lines = [line for line in site.there.logged if line["event"] == "adopted"]
    latencies = [line["latency"] for line in lines if line["revision"] == revision]
    assert latencies.count(None) == 1
    assert [0 <= latency < WAIT_SECONDS for latency in latencies if latency is not None] == [True]


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
            requested = {"provider": "ollama", "model": f"race-{turn}-{service.port}"}
            headers = {"If-Match": f'"{at}"'}
            return service.client().put(CONFIG, json=requested, headers=headers).status_code

        with ThreadPoolExecutor(2) as admins:
            statuses = list(admins.map(change, (site.here, site.there)))
        assert sorted(statuses) == [200, 412]
        assert site.fleet()["revision"] == revision + 1


def _models(server: VendorServer) -> list[str]:
    return [exchange.body["model"] for exchange in server.requests if exchange.method == "POST"]


def test_a_switch_at_one_service_is_run_by_the_other(
    site: Site, local_servers: VendorServer
) -> None:
    """After it has adopted, no call of its goes to the old provider."""
    site.switch("ollama")
    until(lambda: site.there.inventory()["active"]["backend"] == "ollama")
    answer = site.there.client().post("/chat", json=asked())
    assert (answer.json()["provider"], answer.json()["model"]) == ("ollama", "granite4:8b")
    assert _models(local_servers) == ["granite4:8b"]


def test_all_processes_come_to_the_same_fingerprint(site: Site) -> None:
    """Equal revisions run equal configurations."""
    key = {"api_key": VENDOR_KEYS["deepseek"]}
    assert site.here.client().put(f"{PROVIDERS}/deepseek/key", json=key).status_code == 200
    here = site.here.inventory()
    until(lambda: site.there.inventory()["revision"] == here["revision"])
    assert site.there.inventory()["fingerprint"] == here["fingerprint"]


def test_a_key_stored_at_one_service_serves_at_the_other(site: Site, hosted: VendorServer) -> None:
    """Unsealed there with the same seed."""
    requested = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    assert site.here.client().put(CONFIG, json=requested).status_code == 200
    until(lambda: site.there.inventory()["active"]["backend"] == "deepseek")
    answer = site.there.client().post("/chat", json=asked())
    assert answer.status_code == 200, answer.text
    assert _models(hosted) == ["deepseek-v4-flash"]


def test_a_key_deleted_at_one_service_is_not_used_by_the_other(
    site: Site, hosted: VendorServer
) -> None:
    """It refuses, without a request."""
    requested = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    site.here.client().put(CONFIG, json=requested)
    site.here.client().delete(f"{PROVIDERS}/deepseek/key")
    until(lambda: site.there.row("deepseek")["key_state"] == "absent")
    until(lambda: site.there.inventory()["revision"] == site.revision())
    answer = site.there.client().post("/chat", json=asked())
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
    assert hosted.requests == []


def test_a_handle_in_another_process_follows(site: Site, local_servers: VendorServer) -> None:
    """The one that was taken when that process began."""
    until(lambda: site.agent.ask() == "granite-soc-specialist says: pong")
    site.switch("ollama")
    until(lambda: site.agent.ask() == "granite4:8b says: pong")
    local_servers.clear()
    assert site.agent.ask() == "granite4:8b says: pong"
    assert _models(local_servers) == ["granite4:8b"]


def test_a_switch_to_what_is_not_ready_is_told_in_the_agents_own_process(site: Site) -> None:
    """Its handle raises our error."""
    requested = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    site.here.client().put(CONFIG, json=requested)
    until(lambda: site.agent.ask() == "deepseek-v4-flash says: pong")
    site.here.client().delete(f"{PROVIDERS}/deepseek/key")
    until(lambda: site.agent.ask() == "provider_not_ready")


def test_changes_at_both_services_make_one_history(site: Site) -> None:
    """Each is made on top of the other's."""
    before = site.revision()
    for turn, service in enumerate((site.here, site.there, site.here, site.there)):
        requested = {"provider": "ollama", "model": f"turn-{turn}"}
        answer = service.client().put(CONFIG, json=requested)
        assert answer.json()["revision"] == before + turn + 1


def test_frozen_process_is_pending_until_it_goes_on(site: Site) -> None:
    """It is named, shown as behind, and adopts once it can."""
    frozen = site.member("library")["instance"]
    with site.here.stored.held_up():  # one that froze while it wrote would hold up all others
        os.kill(site.agent.pid, signal.SIGSTOP)
    try:
        answer = site.change(1, provider="ollama", model="not-by-all")
        until(lambda: [m["instance"] for m in site.members() if m["state"] == "behind"] == [frozen])
    finally:
        os.kill(site.agent.pid, signal.SIGCONT)
    assert answer["adoption"]["adopted"] is False
    assert frozen in answer["adoption"]["pending"]
    until(lambda: site.member("library")["state"] == "current")


class Late(NamedTuple):
    """What was seen of a service that came late, with another environment, and was stopped."""

    inventory: dict[str, Any]
    states: list[str]
    output: str
    left: list[dict[str, Any]]


@pytest.fixture(scope="module")
def late(
    processes: Site, world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Late:
    """Start a service late, with a log of its own; stop it while somebody follows its stream."""
    changed = processes.change(WAIT_SECONDS, provider="ollama")
    shared = {n: v for n, v in processes.here.env.items() if n.startswith("AURORA_")}
    variables = {**site_variables(world_variables), **shared, "LLM_VLLM_MODEL": "another"}
    with Service(tmp_path_factory.mktemp("late"), variables) as service:
        until(lambda: len(processes.members()) == 4)
        inventory = service.inventory()
        assert inventory["revision"] == changed["revision"]
        states = sorted(member["state"] for member in processes.members())
        with service.client("viewer").stream("GET", EVENTS) as stream:
            lines = stream.iter_lines()
            _next(lines)
            os.kill(service.pid, signal.SIGTERM)
            list(lines)  # to its end, which is none that a cut connection has
        service.wait()
        return Late(inventory, states, service.output, processes.members())


def test_process_that_starts_late_runs_what_was_set(late: Late) -> None:
    """What was set at runtime persists."""
    active = late.inventory["active"]
    assert (active["backend"], active["source"]) == ("ollama", "runtime")


def test_process_with_another_environment_is_diverged(late: Late) -> None:
    """Equal revision, another boot default."""
    assert late.states == ["current", "current", "current", "diverged"]


def test_service_that_stops_leaves_the_fleet(late: Late) -> None:
    """At once: nobody waits for it."""
    assert len(late.left) == 3


def test_stream_ends_with_the_service_and_does_not_hold_it_up(late: Late) -> None:
    """A settings page that is open all day long must not make each restart wait."""
    assert '"error"' not in late.output


def test_a_command_at_the_shell_is_followed_by_all(site: Site) -> None:
    """It works on the database; nobody is restarted, and it isn't one of the fleet."""
    before = {member["instance"] for member in site.members()}
    done = site.here.command("providers", "use", "ollama", "--model", "granite4:tiny")
    assert done.returncode == 0, done.stderr
    for service in (site.here, site.there):
        until(lambda s=service: s.inventory()["active"]["model"] == "granite4:tiny")  # type: ignore[misc]
    until(lambda: site.agent.ask() == "granite4:tiny says: pong")
    assert {member["instance"] for member in site.members()} == before
