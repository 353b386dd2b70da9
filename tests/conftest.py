"""What all tests begin with: an environment without surprises, and nothing probed.

pytest-randomly shuffles files, and tests within a file. The tiers keep their order: functional
files take longest, so they begin.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from aurorasoc.core.collector import collector_off
from aurorasoc.granite.backend_resolution import reset_resolution_cache
from tests.examples import AMBIENT_PREFIXES
from tests.world.canaries import SOAK
from tests.world.vault.fixtures import shared_vault, spare_vault, vault_program
from tests.world.vault.server import VAULT

__all__ = ["shared_vault", "spare_vault", "vault_program"]  # for pytest

TIERS: Final = ("functional", "component", "unit")

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - each run makes a folder of its own there
ROOM: Final = 2**30
"""Bytes that must be free there; a run needs a tenth, PostgreSQL's data aside."""


def pytest_configure() -> None:
    """Keep temporary files in memory: a third of a run is the wait for SQLite's commits on a disk.

    Where Linux has room for them, programs may be run from there, and `TMPDIR` names no folder.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    memory = os.statvfs(MEMORY)
    if memory.f_bavail * memory.f_frsize >= ROOM and not memory.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of `-n auto`: tests wait for much, so one more than there are cores."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile, and leave what was made alone: it stays for the whole run."""
    with collector_off():
        return (yield)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run can't or needn't do, and begin with the slowest tier."""
    VAULT.leave_out(items)
    if not SOAK:
        only_soak = [item for item in items if item.get_closest_marker("only_soak")]
        config.hook.pytest_deselected(items=only_soak)
        items[:] = [item for item in items if item not in only_soak]
    items.sort(key=_tier)


def pytest_collection_finish() -> None:
    """Refuse a test file that imports litellm: unguarded, it asks a public host for its table."""
    if "litellm" in sys.modules:
        msg = "a test file imports litellm: import in the test, which takes the fixture `libraries`"
        raise pytest.UsageError(msg)


def _tier(item: pytest.Item) -> int:
    tier = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    return TIERS.index(tier)


# How long an example takes is the machine's matter: a busy one is no fault.
hypothesis_settings.register_profile(
    "aurorasoc", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("aurorasoc")


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Leave nothing in the environment that the service or a model library would read."""
    for name in os.environ:
        if name.startswith(AMBIENT_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(autouse=True)
def _nothing_probed() -> Iterator[None]:
    """Begin and end with an empty resolution cache."""
    reset_resolution_cache()
    yield
    reset_resolution_cache()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Take away what `aurorasoc serve` set up in this process: its stream ends with the test."""
    loggers = (logging.getLogger("aurorasoc"), logging.getLogger())
    before = [(logger, [*logger.handlers], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
