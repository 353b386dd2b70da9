"""Two services, an agent's process and a shell on one database: what one changes, all run."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import ON_BOTH
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG, PROVIDERS, Service, asked
from tests.world.vendor import VendorServer

CHILD: Final = Path(__file__).parent / "asking_child.py"
DEADLINE: Final = 20.0

pytestmark = ON_BOTH


class Agent:
    """The agent author's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to a running `asking_child.py`."""
        self._process = process

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

    def revision(self) -> int:
        """The revision that the first service runs."""
        return int(self.here.inventory()["revision"])

    def switch(self, provider: str) -> None:
        """Switch at the first service."""
        answer = self.here.client().put(CONFIG, json={"provider": provider})
        assert answer.status_code == 200, answer.text


def until(happened: Callable[[], bool]) -> None:
    """Wait for another process, and give up loudly."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def processes(
    database_kind: str, world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Start two services and an agent on one state folder."""
    del database_kind  # asked for, so that each kind of database has its own processes
    folder = tmp_path_factory.mktemp("site")
    variables = {**world_variables, "LLM_BACKEND": "vllm"}
    with (
        Service(folder, variables) as here,
        Service(folder, variables) as there,
        (folder / "agent.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, CHILD],
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        yield Site(here, there, Agent(process))
        process.kill()


@pytest.fixture
def site(processes: Site, hosted: VendorServer, local_servers: VendorServer) -> Iterator[Site]:
    """Give the processes at their boot defaults."""
    processes.here.reset()
    until(lambda: processes.there.inventory()["revision"] == processes.revision())
    hosted.clear()
    local_servers.clear()
    yield processes
    hosted.clear()
    local_servers.clear()


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
    wanted = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    assert site.here.client().put(CONFIG, json=wanted).status_code == 200
    until(lambda: site.there.inventory()["active"]["backend"] == "deepseek")
    answer = site.there.client().post("/chat", json=asked())
    assert answer.status_code == 200, answer.text
    assert _models(hosted) == ["deepseek-v4-flash"]


def test_a_key_deleted_at_one_service_is_not_used_by_the_other(
    site: Site, hosted: VendorServer
) -> None:
    """It refuses, without a request."""
    wanted = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    site.here.client().put(CONFIG, json=wanted)
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
    wanted = {"provider": "deepseek", "api_key": VENDOR_KEYS["deepseek"]}
    site.here.client().put(CONFIG, json=wanted)
    until(lambda: site.agent.ask() == "deepseek-v4-flash says: pong")
    site.here.client().delete(f"{PROVIDERS}/deepseek/key")
    until(lambda: site.agent.ask() == "provider_not_ready")


def test_a_command_at_the_shell_is_followed_by_all(site: Site) -> None:
    """It works on the database; nobody is restarted."""
    done = site.here.command("providers", "use", "ollama", "--model", "granite4:tiny")
    assert done.returncode == 0, done.stderr
    for service in (site.here, site.there):
        until(lambda s=service: s.inventory()["active"]["model"] == "granite4:tiny")  # type: ignore[misc]
    until(lambda: site.agent.ask() == "granite4:tiny says: pong")


def test_changes_at_both_services_make_one_history(site: Site) -> None:
    """Each is made on top of the other's."""
    before = site.revision()
    for turn, service in enumerate((site.here, site.there, site.here, site.there)):
        wanted = {"provider": "ollama", "model": f"turn-{turn}"}
        answer = service.client().put(CONFIG, json=wanted)
        assert answer.json()["revision"] == before + turn + 1


def test_a_process_that_starts_late_runs_what_was_set(
    site: Site, world_variables: dict[str, str]
) -> None:
    """What was set at runtime persists."""
    site.switch("ollama")
    with Service(site.here.folder, {**world_variables, "LLM_BACKEND": "vllm"}) as late:
        found = late.inventory()
    assert (found["active"]["backend"], found["active"]["source"]) == ("ollama", "runtime")
    assert found["revision"] == site.revision()


def test_an_idle_service_calls_nobody(tmp_path: Path, world_variables: dict[str, str]) -> None:
    """Neither to be ready nor to be warm, with every key at hand."""
    keys = {
        "LLM_OPENAI_COMPATIBLE_API_KEY": VENDOR_KEYS["openai"],
        "LLM_ANTHROPIC_API_KEY": VENDOR_KEYS["anthropic"],
        "LLM_GEMINI_API_KEY": VENDOR_KEYS["gemini"],
        "LLM_BACKEND": "openai",
    }
    with ConnectProxy(None) as home:
        proxies = {"HTTPS_PROXY": home.url, "HTTP_PROXY": home.url}
        with Service(tmp_path, {**world_variables, **keys, **proxies}) as service:
            until(lambda: '"warm"' in service.output)
            service.inventory()
        assert (home.connects, home.refused) == ([], [])
