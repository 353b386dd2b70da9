"""What the tests of served agents need of the machine."""

from pathlib import Path

import pytest

from tests.world.a2a_clients import JAVASCRIPT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the JavaScript clients' tests out where there are none."""
    JAVASCRIPT.leave_out(items)


@pytest.fixture(scope="session")
def node_program() -> Path:
    """Find what runs the JavaScript clients."""
    return JAVASCRIPT.required()
