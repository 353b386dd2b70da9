"""Live models against real servers on loopback: what the tests of handles and calls share."""

import asyncio
import sqlite3
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import config_request, settings, snapshot
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import VendorServer

KEYS: Final = {**VENDOR_KEYS, "vllm": "vk-test-vllm-0123456789abcdef"}
MODELS: Final = {
    "ollama": "granite4:8b",
    "vllm": "granite-soc-specialist",
    "openai": "gpt-4o",
    "deepseek": "deepseek-v4-flash",
    "gemini": "gemini-2.5-pro",
    "anthropic": "claude-sonnet-4-6",
}
PROVIDERS: Final = tuple(MODELS)
_VARIABLES: Final = {"openai": "OPENAI_COMPATIBLE"}


@dataclass(frozen=True)
class World:
    """The vendors, each at the boot base URL of its provider; Gemini by its name, via a proxy."""

    keyed: VendorServer
    ollama: VendorServer
    proxy: ConnectProxy
    ca: CertificateAuthority

    def server(self, provider: str) -> VendorServer:
        """Return the server that plays a provider."""
        return self.ollama if provider == "ollama" else self.keyed

    def clear(self) -> None:
        """Forget requests and end faults."""
        self.keyed.clear()
        self.ollama.clear()
        self.proxy.clear()

    def variables(self, **overrides: str) -> dict[str, str]:
        """Return the environment that leads all providers here, with `overrides`."""
        variables = {"LLM_MAX_RETRIES": "0", "AURORA_ALLOWED_HOSTS": "127.0.0.1"}
        for provider in PROVIDERS:
            if provider != "gemini":
                variables[variable(provider, "BASE_URL")] = self.server(provider).url
            if provider in KEYS:
                variables[variable(provider, "API_KEY")] = KEYS[provider]
        return variables | overrides


def variable(provider: str, field: str) -> str:
    """Name a provider's environment variable."""
    return f"LLM_{_VARIABLES.get(provider, provider.upper())}_{field}"


async def until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to happen elsewhere; give up loudly."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what happens in a server's thread sets no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def table_away(database_file: Path, table: str) -> AsyncIterator[None]:
    """Make a table unreadable, as a database that is being restored does.

    In a thread: the runtime may hold the write lock, and needs this loop to give it back.
    """
    await asyncio.to_thread(_rename, database_file, table, "away")
    try:
        yield
    finally:
        await asyncio.to_thread(_rename, database_file, "away", table)


def _rename(database_file: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database_file, isolation_level=None, timeout=60)) as other:
        other.execute(f"ALTER TABLE {old} RENAME TO {new}")


@pytest.fixture(scope="session")
def libraries() -> None:
    """Import the libraries once for the whole run; their own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter._import_libraries()


@pytest.fixture(scope="session")
def servers(ca: CertificateAuthority) -> Iterator[World]:
    """Start the vendors once."""
    plays = ("openai", "vllm", "deepseek", "anthropic", "gemini")
    with (
        VendorServer(KEYS, plays=plays, tls=ca.issue().context()) as keyed,
        VendorServer(plays=["ollama"], tls=ca.issue().context()) as ollama,
        ConnectProxy(keyed.tls_port) as proxy,
    ):
        yield World(keyed, ollama, proxy, ca)


@pytest.fixture
async def world(
    libraries: None, servers: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Yield the vendors without faults; no connection outlives the test, or comes into it."""
    del libraries
    monkeypatch.setenv("HTTPS_PROXY", servers.proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(servers.ca.pem))
    servers.clear()
    await adapter.close()  # a transport that is kept knows the proxies of its own time
    yield servers
    servers.clear()
    await adapter.close()


@pytest.fixture
def boot(world: World, tmp_path: Path) -> Settings:
    """Return settings whose boot defaults lead to the vendors; DeepSeek is active.

    Anthropic's key is the one that tests store and delete.
    """
    overrides = {"LLM_BACKEND": "deepseek", "LLM_ANTHROPIC_API_KEY": ""}
    return settings(tmp_path, **world.variables(**overrides))


@pytest.fixture
async def runtime(boot: Settings, database_file: Path) -> AsyncIterator[Runtime]:
    """Open a runtime on those settings and an empty, migrated database."""
    assert boot.database_url == f"sqlite:///{database_file}"
    async with open_runtime(boot) as opened:
        yield opened


class _Fixed:
    """Whoever holds one snapshot."""

    def __init__(self, boot_settings: Settings, stored: StoredConfig) -> None:
        self.snapshot = snapshot(boot_settings, stored)


def handle_on(
    boot_settings: Settings,
    provider: str,
    ledger: TrafficLedger | None = None,
    choice: ConnectionChoice | None = None,
) -> LiveChatModel:
    """Return a handle on one provider, without a database, with slots as configured.

    Args:
        boot_settings: The boot defaults.
        provider: The provider.
        ledger: Is told the outcome of calls.
        choice: What an admin chose for it.
    """
    stored = StoredConfig(providers={provider: choice} if choice else {})
    source, llm = _Fixed(boot_settings, stored), boot_settings.llm
    pool = ModelPool(
        source,
        llm.local_networks,
        boot_settings.server.allowed_hosts,
        ledger or TrafficLedger(),
        llm.max_concurrency,
    )
    binding = pool.of_connection(ServingBackend(provider), "specialist", source.snapshot)
    return LiveChatModel(lambda: binding, lambda pinned: lambda: pinned)


def in_production(handle: LiveChatModel) -> LiveChatModel:
    """Make a handle's calls production's: asked again after thoughts, and not of a failed provider.

    A test's are neither.
    """
    model: Any = handle.binding.model
    model.aurora_site = replace(model.aurora_site, asks_again=True, is_test=False)
    return handle


async def use(provider: str, runtime: Runtime) -> None:
    """Switch as an admin does."""
    await runtime.admin.switch(config_request(provider), actor="test")


def asked(server: VendorServer) -> list[str]:
    """Name the models that a server was asked to answer, in order; Gemini's stand in the path."""
    posts = (exchange for exchange in server.requests if exchange.method == "POST")
    return [exchange.body.get("model", exchange.path) for exchange in posts]
