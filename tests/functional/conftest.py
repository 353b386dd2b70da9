"""The shared service, and the vendors that it calls."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import httpx
import pytest

from tests.world.databases import DATABASES
from tests.world.fixtures import (
    ca,
    capture,
    database_kind,
    egress,
    hosted,
    local_servers,
    world_variables,
)
from tests.world.local_model import local_model_url
from tests.world.service import Service
from tests.world.vendor import VendorServer

__all__ = [  # pytest finds the fixtures here
    "ca",
    "capture",
    "database_kind",
    "egress",
    "hosted",
    "local_model_url",
    "local_servers",
    "world_variables",
]


@pytest.fixture(scope="session")
def shared_service(
    world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Service]]:
    """Run one service on each kind of database, for all tests that leave it as they found it."""
    with ExitStack() as running:

        @cache
        def start(_kind: str) -> Service:
            folder = tmp_path_factory.mktemp("service")
            return running.enter_context(Service(folder, world_variables))

        yield lambda: start(DATABASES.kind)


@pytest.fixture
def service(
    shared_service: Callable[[], Service], hosted: VendorServer, local_servers: VendorServer
) -> Iterator[Service]:
    """Yield the shared service at its boot defaults, and vendors with nothing recorded."""
    shared_service().reset()
    hosted.clear()
    local_servers.clear()
    yield shared_service()
    hosted.clear()
    local_servers.clear()


@pytest.fixture
def admin(service: Service) -> httpx.Client:
    """Return an admin's client of the shared service."""
    return service.client()
