"""The door, open on three vendors in line: fixtures of whoever calls there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aurorasoc.runtime import current_runtime
from tests.component.in_line import InLine, line, servers
from tests.examples import settings
from tests.world.databases import DATABASES, SQLITE
from tests.world.door import Door, served

__all__ = ["door", "line", "opened", "servers"]


@pytest.fixture(scope="module")
def opened(
    servers: InLine, libraries: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Serve the app on the three vendors."""
    del libraries
    state: Path = tmp_path_factory.mktemp("door")
    with DATABASES.of_kind(SQLITE):
        DATABASES.migrated(state)
    with served(settings(state, **servers.variables())) as door:
        yield door


@pytest.fixture
def door(opened: Door, line: InLine) -> Door:
    """Return the door, with vendors that have no faults, and of which nothing is known."""
    del line
    runtime = current_runtime()
    runtime.pool.sites.learned.replace({})
    runtime.admin.ledger.breakers.keep({}, ())
    runtime.pool.reset()
    return opened


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error that an answer holds, in OpenAI's shape."""
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    return error
