"""A wrong environment stops the boot with one sentence that names the variable."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.world.databases import DATABASES
from tests.world.processes import free_port
from tests.world.service import SEED, SESSION_SECRET, run_command, service_env

CANARY: Final = "canary-5e8d"
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
    """Return a folder whose state is migrated."""
    folder = tmp_path_factory.mktemp("boot")
    DATABASES.migrated(folder / "state")
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


def test_wrong_value_is_refused_by_name_and_never_repeated(folder: Path) -> None:
    """One line names the variable; the component tests take them all."""
    refused(
        serve(folder, AURORA_DATABASE_URL=f"mysql://user:{CANARY}@127.0.0.1/db"),
        "AURORA_DATABASE_URL",
    )


def test_serve_needs_a_session_secret(folder: Path) -> None:
    """Without JWT_SECRET_KEY nothing is served."""
    refused(serve(folder, **SEEDLESS), "JWT_SECRET_KEY")


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


@pytest.fixture(scope="module", params=[READY_API, OPEN_RUNTIME], ids=["api", "agent"])
def imported(folder: Path, request: pytest.FixtureRequest) -> set[str]:
    """Return what a process has imported: a ready API, and an agent's open runtime."""
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
