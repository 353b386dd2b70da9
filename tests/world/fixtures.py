"""Pytest fixtures over the test world.

A conftest imports them by name (`from tests.world.fixtures import vendor`), because pytest
refuses `pytest_plugins` in a conftest that isn't at the root.
"""

from collections.abc import Iterator

import pytest

from tests.world.capture import CaptureServer
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import DATABASES, KINDS
from tests.world.vendor import VendorServer

VENDOR_KEYS = {
    "openai": "sk-test-openai-0123456789abcdef",
    "deepseek": "sk-test-deepseek-0123456789abcdef",
    "anthropic": "sk-ant-test-0123456789abcdef",
    "gemini": "AIza-test-gemini-0123456789abcdef",
}


@pytest.fixture(scope="module", params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the services of a module run on SQLite, then on PostgreSQL.

    What a module shares among its tests must ask for it too, to be made anew for each.
    """
    with DATABASES.of_kind(request.param):
        yield request.param


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Make one test authority for the whole run."""
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def vendor(ca: CertificateAuthority) -> Iterator[VendorServer]:
    """Play all vendors, each with its key of `VENDOR_KEYS`, plain and TLS."""
    with VendorServer(VENDOR_KEYS, tls=ca.issue().context()) as server:
        yield server


@pytest.fixture
def connect_proxy(vendor: VendorServer) -> Iterator[ConnectProxy]:
    """Lead every CONNECT to the vendor's TLS port."""
    with ConnectProxy(vendor.tls_port) as proxy:
        yield proxy


@pytest.fixture
def vendor_env(connect_proxy: ConnectProxy, ca: CertificateAuthority) -> dict[str, str]:
    """Return the variables that lead a child process to the vendor under real host names."""
    return {
        "HTTPS_PROXY": connect_proxy.url,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(ca.pem),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    }


@pytest.fixture
def capture() -> Iterator[CaptureServer]:
    """Capture raw TCP, to show that nothing came."""
    with CaptureServer() as server:
        yield server


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
