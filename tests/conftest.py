"""What all tests begin with: an environment without surprises, and nothing probed."""

import os
from collections.abc import Iterator

import pytest

from aurorasoc.granite.backend_resolution import reset_resolution_cache
from tests.examples import AMBIENT_PREFIXES
from tests.world.vault.server import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]  # for pytest


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
