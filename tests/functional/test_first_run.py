"""`aurorasoc dev`: a first run answers, prints what to try, and stops everything it started."""

import json
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from aurorasoc.local_model import MODEL_NAME, unavailable_reason
from aurorasoc.web import SETTINGS_PAGE
from tests.world import patient
from tests.world.processes import ChildProcess, answers, bare_env, free_port
from tests.world.service import API, AURORASOC, CONFIG, PROVIDERS, bearer, run_command

STOPS_WITHIN: Final = 45
END_OF_INSTRUCTIONS: Final = "Ctrl-C stops everything."
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the printed calls use curl")


class FirstRun(ChildProcess):
    """`aurorasoc dev` on a state folder; ready when its instructions are out."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Describe a run; several on one `folder` share its state, one after the other."""
        self.state_dir = folder / "the state"  # the shell splits a name at its blanks
        self.port = free_port()
        self.folder = folder
        log = folder / f"dev-{self.port}.log"
        super().__init__(
            [*AURORASOC, "dev", "--port", str(self.port), *options],
            env=bare_env(AURORA_STATE_DIR=str(self.state_dir), PYTHONUNBUFFERED="1"),
            ready=lambda: END_OF_INSTRUCTIONS in self.output,
            log=log,
            cwd=folder,
            deadline=300,
        )

    @property
    def url(self) -> str:
        """The address that was printed."""
        return self._printed(r"aurorasoc is ready at (\S+)")

    def client(self) -> httpx.Client:
        """Return a client with the token that was printed; the caller closes it."""
        headers = bearer(self._printed(r"Admin token \(12 hours\): (\S+)"))
        url = f"{self.url}{API}"
        return patient.client(base_url=url, headers=headers)

    def printed_calls(self) -> str:
        """Return the shell lines between "Try" and the blank line."""
        return self._printed(r"Try, in another shell:\n((?:  .*\n)+)")

    def printed_link(self) -> str:
        """Return the link that signs in."""
        return self._printed(r"this link signs you in:\n  (\S+)")

    def secrets(self) -> str:
        """Return what `secrets.env` holds."""
        return (self.state_dir / "secrets.env").read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the supervisor alone, as a terminal or systemd does; give its exit code."""
        self.process.send_signal(number)
        return self.wait(STOPS_WITHIN)

    def _printed(self, pattern: str) -> str:
        match = re.search(pattern, self.output)
        assert match, self.output
        return match[1]


class SecondRun(NamedTuple):
    """A run on the state of another one that was stopped, and the secrets of that one."""

    secrets: str
    following: FirstRun


def started_by(pid: int) -> list[int]:
    """Return the ids of a process's children, and theirs (Linux's /proc)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [process for child in map(int, children) for process in (child, *started_by(child))]


def alive(pids: list[int]) -> list[int]:
    """Return the processes that still exist."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def documents(text: str) -> list[dict[str, Any]]:
    """Read JSON documents that stand one after the other."""
    decoder, documents = json.JSONDecoder(), []
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:]
    return documents


def run_printed(run: FirstRun) -> str:
    """Run the printed shell lines as they stand, and give what they print."""
    done = subprocess.run(
        ["/bin/sh", "-eu"],
        input=run.printed_calls(),
        env=bare_env(),
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return done.stdout


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    """Run `aurorasoc dev` on an empty state folder; skip where the small model can't run."""
    with run_with_its_model(tmp_path_factory.mktemp("dev")) as run:
        yield run


@pytest.fixture
def investigating_run(tmp_path: Path) -> Iterator[FirstRun]:
    """Run another, for an investigation that keeps its small model busy."""
    with run_with_its_model(tmp_path) as run:
        yield run


@pytest.fixture(scope="module")
def second_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondRun]:
    """Make a runtime choice in a run without the model, stop it, and start another on its state."""
    folder = tmp_path_factory.mktemp("again")
    with FirstRun(folder, "--no-local-model") as first, first.client() as admin:
        switched = admin.put(CONFIG, json={"provider": "vllm", "model": "chosen-at-runtime"})
        assert switched.status_code == 200
        secrets = first.secrets()
        stop_in_order(first, signal.SIGTERM)
    with FirstRun(folder, "--no-local-model") as following:
        yield SecondRun(secrets, following)
        stop_in_order(following, signal.SIGINT)


@contextmanager
def run_with_its_model(folder: Path) -> Iterator[FirstRun]:
    """Run `aurorasoc dev` and stop it in order; skip where the small model can't run."""
    if reason := unavailable_reason():
        pytest.skip(reason)
    with FirstRun(folder) as run:
        yield run
        stop_in_order(run, signal.SIGTERM)


def stop_in_order(run: FirstRun, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end a run with 0, and nothing that it started is left."""
    started = started_by(run.pid)
    assert started
    assert run.stop(number) == 0
    assert alive(started) == []


def test_first_run_prints_address_and_token_that_work(first_run: FirstRun) -> None:
    """The printed address answers to the printed token."""
    with first_run.client() as admin:
        assert admin.get(PROVIDERS).status_code == 200


def test_first_run_prints_the_settings_pages_address(first_run: FirstRun) -> None:
    """The page is there, and the link carries the token that was printed."""
    page, _, secret = first_run.printed_link().partition("#token=")
    assert page == f"{first_run.url}{SETTINGS_PAGE}"
    assert answers(page)
    assert f"Admin token (12 hours): {secret}\n" in first_run.output


@needs_curl
def test_printed_calls_work_and_the_small_model_answers(investigating_run: FirstRun) -> None:
    """The lines, run as they are printed: inventory, an answered chat, an open investigation."""
    inventory, answer, opened = documents(run_printed(investigating_run))
    assert inventory["active"]["model"] == MODEL_NAME
    assert answer["model"] == MODEL_NAME
    assert answer["message"]["content"].strip()
    assert opened["status"] == "queued"


def test_first_run_says_how_small_its_model_is(first_run: FirstRun) -> None:
    """Nobody takes the small model for more than it is."""
    assert "135 million parameters" in first_run.output
    assert "it tests the plumbing, not answer quality" in first_run.output


def test_secrets_are_for_their_owner_only(first_run: FirstRun) -> None:
    """Seeds, the shell's token file, the database and their folder are closed to others."""
    for name in ("secrets.env", "dev.env", "aurorasoc.db"):
        assert mode(first_run.state_dir / name) == 0o600, name
    assert mode(first_run.state_dir) == 0o700


def test_secrets_are_random_and_not_printed(first_run: FirstRun) -> None:
    """The session secret and the seed are two long values, and neither is shown."""
    values = [line.partition("=")[2] for line in first_run.secrets().splitlines()]
    assert len(set(values)) == 2
    assert min(map(len, values)) >= 32
    assert not any(value in first_run.output for value in values)


def test_other_commands_read_the_secrets(first_run: FirstRun) -> None:
    """A token made at the shell, with nothing set but the state folder, holds at the API."""
    env = bare_env(AURORA_STATE_DIR=str(first_run.state_dir))
    made = run_command("token", "create", "shell", env=env, cwd=first_run.folder)
    headers = bearer(made.stdout.strip())
    url = f"{first_run.url}{API}{PROVIDERS}"
    answer = patient.get(url, headers=headers)
    assert answer.status_code == 200


def test_other_commands_reach_the_small_model(first_run: FirstRun) -> None:
    """Its address stands in the state folder for as long as `dev` runs."""
    env = bare_env(AURORA_STATE_DIR=str(first_run.state_dir))
    done = run_command("providers", "test", "vllm", "--json", env=env, cwd=first_run.folder)
    assert (done.returncode, json.loads(done.stdout)["model"]) == (0, MODEL_NAME), done.stdout


def test_second_start_keeps_the_secrets(second_run: SecondRun) -> None:
    """A second start makes no new secrets."""
    assert second_run.following.secrets() == second_run.secrets
    assert "making secrets" not in second_run.following.output


def test_second_start_keeps_the_runtime_choice(second_run: SecondRun) -> None:
    """What was set at runtime is in force after a second start."""
    with second_run.following.client() as admin:
        active = admin.get(PROVIDERS).json()["active"]
    assert (active["model"], active["source"]) == ("chosen-at-runtime", "runtime")


def test_without_the_model_it_says_what_to_do(second_run: SecondRun) -> None:
    """`--no-local-model` starts the API alone, and says that a provider must be set first."""
    assert "No local model runs" in second_run.following.output
    assert MODEL_NAME not in second_run.following.output


@needs_curl
def test_without_the_model_the_printed_calls_say_what_is_missing(second_run: SecondRun) -> None:
    """Without a model the printed lines give the inventory, and a chat that names the problem."""
    inventory, problem, _ = documents(run_printed(second_run.following))
    assert len(inventory["providers"]) == 6
    assert problem["code"] == "unreachable"


def test_taken_port_is_named(second_run: SecondRun) -> None:
    """A port that was insisted on and is taken ends the run with how to choose another."""
    port = str(second_run.following.port)
    env = bare_env(AURORA_STATE_DIR=str(second_run.following.state_dir))
    done = run_command("dev", "--no-local-model", "--port", port, env=env, cwd=Path("/"))
    assert done.returncode == 2
    assert f"Port {port} is taken" in done.stderr
