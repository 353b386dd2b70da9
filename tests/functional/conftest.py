"""The service, the vendors behind their real host names, and the way between them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import httpx
import pytest

from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import DATABASES
from tests.world.fixtures import VENDOR_KEYS, ca, capture, database_kind
from tests.world.local_model import local_model_url
from tests.world.service import Service
from tests.world.vendor import VendorServer

__all__ = ["ca", "capture", "database_kind", "local_model_url"]  # pytest finds the fixtures here


@pytest.fixture(scope="session")
def hosted(ca: CertificateAuthority) -> Iterator[VendorServer]:
    """Play the hosted vendors over TLS, each with its key of `VENDOR_KEYS`."""
    plays = tuple(VENDOR_KEYS)
    with VendorServer(VENDOR_KEYS, plays=plays, tls=ca.issue().context()) as server:
        yield server


@pytest.fixture(scope="session")
def local_servers() -> Iterator[VendorServer]:
    """Play Ollama and vLLM on plain loopback; neither asks for a key."""
    with VendorServer(plays=["vllm", "ollama"]) as server:
        yield server


@pytest.fixture(scope="session")
def egress(hosted: VendorServer) -> Iterator[ConnectProxy]:
    """Lead every host name to the hosted vendors' TLS port, and write down which they were."""
    with ConnectProxy(hosted.tls_port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def world_variables(
    egress: ConnectProxy, ca: CertificateAuthority, local_servers: VendorServer
) -> dict[str, str]:
    """Lead a service to the hosted vendors by the site's proxy, and to the local servers."""
    return {
        "HTTPS_PROXY": egress.url,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(ca.pem),
        "LLM_VLLM_BASE_URL": f"{local_servers.url}/v1",
        "LLM_OLLAMA_BASE_URL": local_servers.url,
        "LLM_MAX_RETRIES": "0",
    }


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
    """Give the shared service at its boot defaults, and vendors with nothing recorded."""
    shared_service().reset()
    hosted.clear()
    local_servers.clear()
    yield shared_service()
    hosted.clear()
    local_servers.clear()


@pytest.fixture
def admin(service: Service) -> httpx.Client:
    """Give an admin's client of the shared service."""
    return service.client()
