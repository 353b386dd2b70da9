"""The wheel: what it holds, and that it migrates a host's database without the repository."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest
from alembic import command
from alembic.config import Config

from aurorasoc.core.database.engine import SCHEMA_HEAD
from aurorasoc.core.database.migrations import VERSION_TABLE
from tests.component.api.test_host_platform import host_chain
from tests.world.databases import DATABASES, ON_BOTH, Stored
from tests.world.service import service_env

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def chain(tmp_path: Path) -> Config:
    """Return the host's Alembic chain on the very database that we use."""
    return host_chain(tmp_path / "host-alembic", DATABASES.url(tmp_path))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone, away from the repository."""
    site = tmp_path_factory.mktemp("site")
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--offline", "--no-deps"]
    subprocess.run(
        [*uv, "--python", sys.executable, "--target", str(site), str(wheel)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return site


def test_wheel_holds_the_migrations_and_nothing_that_is_not_ours(wheel: Path) -> None:
    """Package and migrations are in it, tests and byte code are not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"aurorasoc/py.typed", "aurorasoc/migrations/env.py"} <= set(names)
    assert {"aurorasoc/web/static/index.html", "aurorasoc/web/licenses/htm.txt"} <= set(names)
    scripts = {name.split("/")[-1][:3] for name in names if "/migrations/versions/" in name}
    assert scripts >= {"027", "028", "029", SCHEMA_HEAD}
    assert {name.split("/")[0].split("-")[0] for name in names} == {"aurorasoc"}
    assert not [name for name in names if "__pycache__" in name or "conftest" in name]


@ON_BOTH
def test_installed_wheel_migrates_without_the_repository(
    installed: Path, tmp_path: Path, chain: Config
) -> None:
    """From the wheel alone the host's database reaches the newest migration."""
    command.upgrade(chain, "head")
    env = service_env(tmp_path) | {"PYTHONPATH": str(installed)}
    names = "import aurorasoc.core.database.migrations as m, alembic"
    asks = f"{names}; print(m.__file__, m.scripts(), alembic)"
    where = _run(env, tmp_path, "-c", asks)
    assert where.count(str(installed)) == 2
    assert str(ROOT / "alembic") not in where
    assert "newest migration" in _run(env, tmp_path, "-m", "aurorasoc.cli", "migrate")
    rows = Stored(DATABASES.url(tmp_path)).rows(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - our own name
    assert rows == [(SCHEMA_HEAD,)]
    assert '"revision": 0' in _run(
        env, tmp_path, "-m", "aurorasoc.cli", "providers", "list", "--json"
    )


def _run(env: dict[str, str], cwd: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout
