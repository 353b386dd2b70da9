"""A wrong environment stops the boot with one sentence that names the variable."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.world.processes import free_port
from tests.world.service import SEED, SESSION_SECRET, run_command, service_env

CANARY: Final = "canary-5e8d"
WRONG: Final[dict[str, str]] = {
    "JWT_SECRET_KEY": f"short-{CANARY}",
    "AURORA_SECRET_KEY": f"short-{CANARY}",
    "AURORA_SECRET_KEY_PREVIOUS": f"{SEED},short-{CANARY}",
    "AURORA_DATABASE_URL": f"mysql://user:{CANARY}@127.0.0.1/db",
    "AURORA_PORT": CANARY,
    "LLM_BACKEND": CANARY,
    "LLM_HOSTED_MAX_TLP": CANARY,
    "LLM_LOCAL_NETWORKS": f"10.0.0.0/8,{CANARY}",
    "LLM_TIMEOUT": CANARY,
    "LLM_DEEPSEEK_BASE_URL": f"https://user:{CANARY}@api.deepseek.com",
    "LLM_GEMINI_BASE_URL": f"https://{CANARY}.example.com",
    "LLM_OLLAMA_API_KEY": CANARY,
    "LLM_DEEPSEEK_API_KEY": f"{CANARY} with a space",
    "VAULT_POLL_INTERVAL": CANARY,
}
SEEDLESS: Final = {"JWT_SECRET_KEY": "", "AURORA_SECRET_KEY": SEED}
READY_API: Final = """
import asyncio, json, sys
from aurorasoc.api.app import create_app

async def main():
    app = create_app()
    async with app.router.lifespan_context(app):
        from aurorasoc.runtime import current_runtime
        assert current_runtime().adoption.ready
        await asyncio.sleep(0)
        print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))

asyncio.run(main())
"""
OPEN_RUNTIME: Final = """
import asyncio, json, sys
from aurorasoc import open_runtime

async def main():
    async with open_runtime() as runtime:
        await runtime.admin.inventory()
        print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder whose state is migrated."""
    folder = tmp_path_factory.mktemp("boot")
    migrated = run_command("migrate", env=service_env(folder / "state"), cwd=folder)
    assert migrated.returncode == 0, migrated.stderr
    return folder


def serve(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start the service, which refuses."""
    env = service_env(folder / "state", variables)
    return run_command("serve", "--port", str(free_port()), env=env, cwd=folder)


def refused(done: subprocess.CompletedProcess[str], named: str) -> None:
    """Hold a refusal to its form: exit code 2, and one line on standard error."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert named in line
    assert CANARY not in line


@pytest.fixture(scope="module")
def refusals(folder: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Start the service once with each wrong value, four at a time."""
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda variable: serve(folder, **{variable: WRONG[variable]}), WRONG)
        return dict(zip(WRONG, done, strict=True))


@pytest.mark.parametrize("variable", WRONG)
def test_wrong_value_is_refused_by_name_and_never_repeated(
    refusals: Mapping[str, subprocess.CompletedProcess[str]], variable: str
) -> None:
    """One line names the variable; the value, which may be a secret, stays out."""
    refused(refusals[variable], variable)


def test_refusal_says_what_is_accepted(
    refusals: Mapping[str, subprocess.CompletedProcess[str]],
) -> None:
    """The sentence for a backend that doesn't exist lists those that do."""
    line = refusals["LLM_BACKEND"].stderr
    for backend in ("ollama", "vllm", "openai", "deepseek", "gemini", "anthropic", "auto"):
        assert backend in line


def test_serve_needs_a_session_secret(folder: Path) -> None:
    """Without JWT_SECRET_KEY nothing is served."""
    refused(serve(folder, **SEEDLESS), "JWT_SECRET_KEY")


def test_monotonous_session_secret_is_refused(folder: Path) -> None:
    """Forty equal characters are no secret."""
    refused(serve(folder, JWT_SECRET_KEY="a" * 40), "JWT_SECRET_KEY")


def test_unmigrated_database_names_the_command(tmp_path: Path) -> None:
    """An empty database is refused with the command that prepares it."""
    refused(serve(tmp_path), "aurorasoc migrate")


def test_vault_is_never_silently_replaced_by_the_database(folder: Path) -> None:
    """With VAULT_ADDR set and no login, nothing is served, rather than keys kept elsewhere."""
    done = serve(folder, VAULT_ADDR="https://vault.example.com:8200")
    refused(done, "VAULT_ADDR")


def test_serve_does_not_read_the_secrets_file(folder: Path) -> None:
    """A `secrets.env` that other commands read is nothing to `serve`."""
    file = folder / "state" / "secrets.env"
    file.write_text(f"JWT_SECRET_KEY={SESSION_SECRET}\nAURORA_SECRET_KEY={SEED}\n")
    try:
        env = service_env(folder / "state", {"AURORA_SECRET_KEY": ""} | {"JWT_SECRET_KEY": ""})
        made = run_command("token", "create", env=env, cwd=folder)
        assert made.returncode == 0, made.stderr
        refused(serve(folder, **SEEDLESS), "JWT_SECRET_KEY")
    finally:
        file.unlink()


def test_older_names_of_local_backends_are_read(folder: Path) -> None:
    """`OLLAMA_BASE_URL` and `VLLM_MODEL`, as earlier deployments set them, still count."""
    older = {"OLLAMA_BASE_URL": "http://10.1.2.3:11434", "VLLM_MODEL": "older-name"}
    env = service_env(folder / "state", older)
    done = run_command("providers", "list", "--json", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    rows = {row["provider"]: row for row in listed["providers"]}
    assert rows["ollama"]["base_url"] == "http://10.1.2.3:11434"
    assert (rows["vllm"]["model"], rows["vllm"]["sources"]["model"]) == ("older-name", "env")


def test_unknown_command_is_wrong_usage(folder: Path) -> None:
    """A command that doesn't exist is exit code 2, without a traceback."""
    done = run_command("no-such-command", env=service_env(folder / "state"), cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module", params=[READY_API, OPEN_RUNTIME], ids=["api", "agent"])
def imported(folder: Path, request: pytest.FixtureRequest) -> set[str]:
    """Give what a process has imported: a ready API, and an agent's open runtime."""
    child = subprocess.run(
        [sys.executable, "-c", request.param],
        env=service_env(folder / "state"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return set(json.loads(child.stdout))


@pytest.mark.parametrize("library", ["litellm", "beeai_framework", "alembic", "hvac", "openai"])
def test_ready_before_a_heavy_library_is_imported(imported: set[str], library: str) -> None:
    """Being ready costs none of the libraries that only model calls or commands need."""
    assert "aurorasoc" in imported
    assert library not in imported
