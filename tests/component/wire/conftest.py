"""The providers, each where production finds it, and a runtime that calls them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from aurorasoc.api.app import create_app
from aurorasoc.config.settings import load_settings
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import libraries
from tests.component.wire.table import TABLE, VLLM_KEY
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import DATABASES
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import API, SEED, SESSION_SECRET, bearer, token
from tests.world.vendor import Exchange, VendorServer

__all__ = ["libraries"]  # pytest finds it here


@dataclass(frozen=True)
class Wire:
    """All six providers: the hosted ones by their vendors' names, the others on loopback."""

    hosted: VendorServer
    vllm: VendorServer
    ollama: VendorServer
    proxy: ConnectProxy
    ca: CertificateAuthority

    def server(self, provider: str) -> VendorServer:
        """Return the server that plays a provider."""
        return {"vllm": self.vllm, "ollama": self.ollama}.get(provider, self.hosted)

    @property
    def requests(self) -> list[Exchange]:
        """All that arrived anywhere."""
        return self.hosted.requests + self.vllm.requests + self.ollama.requests

    def clear(self) -> None:
        """Forget what came, and end faults."""
        for server in (self.hosted, self.vllm, self.ollama):
            server.clear()
        self.proxy.clear()

    def variables(self) -> dict[str, str]:
        """Return the environment that leads here; base URLs are said for loopback only."""
        keys = {
            "LLM_OPENAI_COMPATIBLE_API_KEY": VENDOR_KEYS["openai"],
            "LLM_DEEPSEEK_API_KEY": VENDOR_KEYS["deepseek"],
            "LLM_GEMINI_API_KEY": VENDOR_KEYS["gemini"],
            "LLM_ANTHROPIC_API_KEY": VENDOR_KEYS["anthropic"],
            "LLM_VLLM_API_KEY": VLLM_KEY,
        }
        return keys | {
            "LLM_VLLM_BASE_URL": f"{self.vllm.url}/v1",
            "LLM_OLLAMA_BASE_URL": self.ollama.url,
            "LLM_MAX_RETRIES": "0",
            "AURORA_ALLOWED_HOSTS": "127.0.0.1",
            "HTTPS_PROXY": self.proxy.url,
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_FILE": str(self.ca.pem),
        }


@pytest.fixture(scope="session")
def providers(ca: CertificateAuthority) -> Iterator[Wire]:
    """Start the six once. Each knows its keys, and the models of the table."""
    models = {provider: [row.model] for provider, row in TABLE.items()}
    with (
        VendorServer(
            VENDOR_KEYS, models, plays=tuple(VENDOR_KEYS), tls=ca.issue().context()
        ) as hosted,
        VendorServer({"vllm": VLLM_KEY}, models, plays=["vllm"]) as vllm,
        VendorServer(models=models, plays=["ollama"]) as ollama,
        ConnectProxy(hosted.tls_port) as proxy,
    ):
        yield Wire(hosted, vllm, ollama, proxy, ca)


@pytest.fixture
async def wire(
    libraries: None, providers: Wire, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wire]:
    """Yield the six with nothing recorded, and an environment that leads to them alone."""
    del libraries
    for name, value in providers.variables().items():
        monkeypatch.setenv(name, value)
    providers.clear()
    yield providers
    providers.clear()
    await adapter.close()


@pytest.fixture
async def runtime(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Runtime]:
    """Open the runtime, as an agent's process does, on a database of its own."""
    del wire
    DATABASES.migrated(tmp_path)
    for name, value in DATABASES.variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AURORA_SECRET_KEY", SEED)
    monkeypatch.setenv("JWT_SECRET_KEY", SESSION_SECRET)
    async with open_runtime(load_settings()) as opened:
        yield opened


@pytest.fixture
async def api(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an admin's client of the API in this process, below `/api/v1`."""
    app = create_app(runtime.settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=f"http://127.0.0.1{API}",
        headers=bearer(token()),
    ) as client:
        yield client
