"""The command line as an operator meets it: real processes, pipes and exit codes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.canaries import canaries, found
from tests.world.service import AURORASOC, CONFIG, PROVIDERS, Service, bearer

KEY = canaries(1)[0]


@pytest.fixture(scope="module")
def running(
    world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run a service beside which commands are typed."""
    with Service(tmp_path_factory.mktemp("cli"), world_variables) as service:
        yield service


def test_a_token_made_at_the_shell_opens_the_api(running: Service) -> None:
    """With the permissions of its role."""
    made = running.command("token", "create", "ada", "--role", "viewer")
    assert made.returncode == 0
    with running.anonymous(bearer(made.stdout.strip())) as client:
        assert client.get(PROVIDERS).status_code == 200
        assert client.delete(CONFIG).status_code == 403


def test_a_key_set_at_the_shell_is_in_no_output_and_no_file(running: Service) -> None:
    """Standard input is read, and nothing of it is written but sealed."""
    done = running.command("key", "set", "deepseek", stdin=KEY)
    files = {str(f): f.read_bytes() for f in running.folder.rglob("*") if f.is_file()}
    files["the database"] = running.stored.stored_bytes()
    places = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode(), **files}
    assert done.returncode == 0
    assert b"gAAAA" in files["the database"]
    assert found([KEY], places) == []


def test_an_empty_pipe_is_no_key(running: Service) -> None:
    """As when a secret manager's command failed before it."""
    done = running.command("key", "set", "anthropic", stdin="")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_bytes_that_are_no_text_are_no_key(running: Service) -> None:
    """Neither a traceback nor the bytes come back."""
    done = subprocess.run(
        [*AURORASOC, "key", "set", "anthropic"],
        env=running.env,
        input=b"sk-\xff\xfe-0123456789",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"0123456789" not in done.stderr


def test_a_running_services_log_verifies_beside_it(running: Service) -> None:
    """Reading takes no lock that a writer would wait for."""
    assert running.client().put(CONFIG, json={"provider": "ollama"}).status_code == 200
    done = running.command("audit", "verify", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True


def test_a_services_log_line_is_an_anchor(running: Service) -> None:
    """The line that left the host proves that the log still has that entry."""
    assert running.client().delete(CONFIG).status_code == 200
    audits = [line for line in running.logged if line["event"] == "audit"]
    anchors = [f"--anchor={event['seq']}:{event['hash']}" for event in audits]
    assert anchors
    assert running.command("audit", "verify", *anchors).returncode == 0


def test_an_export_that_nobody_reads_ends_quietly(running: Service) -> None:
    """`audit export | head -0`."""
    with subprocess.Popen(
        [*AURORASOC, "audit", "export"],
        env=running.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        export.stdout.close()
        trouble = export.stderr.read()
        export.wait(60)
    assert b"Traceback" not in trouble


def test_migrating_again_changes_nothing(running: Service) -> None:
    """A deployment runs it every time."""
    before = running.inventory()
    assert running.command("migrate").returncode == 0
    assert running.inventory() == before


def test_the_installed_command_is_the_same(running: Service) -> None:
    """`aurorasoc` and `python -m aurorasoc.cli`."""
    script = Path(AURORASOC[0]).with_name("aurorasoc")
    done = subprocess.run(
        [script, "providers", "list", "--json"],
        env=running.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["revision"] == running.inventory()["revision"]
