"""Three connections in line, each at a vendor of its own: who answers when one fails."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from aurorasoc import open_runtime
from aurorasoc.runtime import Runtime
from tests.examples import settings
from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import VendorServer

KINDS: Final[Mapping[str, str]] = {"first": "openai", "second": "anthropic", "third": "vllm"}
"""Connections and their providers: two hosted ones, and one on loopback that is local."""

FALLBACKS: Final = {"LLM_FALLBACKS": "second,third"}


@dataclass(frozen=True)
class InLine:
    """The vendors behind the connections `first`, `second` and `third`; their models are `m-…`."""

    first: VendorServer
    second: VendorServer
    third: VendorServer

    @property
    def all(self) -> Mapping[str, VendorServer]:
        """Each vendor by its connection."""
        return {"first": self.first, "second": self.second, "third": self.third}

    @property
    def asked(self) -> dict[str, int]:
        """How many answers each vendor was asked for; who wasn't is left out."""
        counts = {
            name: sum(e.method == "POST" for e in server.requests)
            for name, server in self.all.items()
        }
        return {name: count for name, count in counts.items() if count}

    def clear(self) -> None:
        """Forget requests and end faults."""
        for server in self.all.values():
            server.clear()

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment that declares the connections; `first` is active."""
        variables = {"LLM_BACKEND": "first", "LLM_MAX_RETRIES": "0", **FALLBACKS}
        for name, server in self.all.items():
            prefix, provider = f"LLM_CONNECTION_{name.upper()}_", KINDS[name]
            path = "" if provider == "anthropic" else "/v1"
            variables |= {
                f"{prefix}PROVIDER": provider,
                f"{prefix}BASE_URL": f"{server.url}{path}",
                f"{prefix}MODEL": f"m-{name}",
            }
            if provider in VENDOR_KEYS:
                variables[f"{prefix}API_KEY"] = VENDOR_KEYS[provider]
        return variables | more


@contextmanager
def in_line() -> Iterator[InLine]:
    """Start the vendors."""
    keys = {name: {kind: VENDOR_KEYS[kind]} for name, kind in KINDS.items() if kind in VENDOR_KEYS}
    with (
        VendorServer(keys["first"], plays=["openai"]) as first,
        VendorServer(keys["second"], plays=["anthropic"]) as second,
        VendorServer(plays=["vllm"]) as third,
    ):
        yield InLine(first, second, third)


@asynccontextmanager
async def opened(state: Path, line: InLine, **variables: str) -> AsyncIterator[Runtime]:
    """Open a runtime on them; `state` holds a migrated database."""
    async with open_runtime(settings(state, **line.variables(**variables))) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def servers() -> Iterator[InLine]:
    """Start the vendors once."""
    with in_line() as started:
        yield started


@pytest.fixture
def line(servers: InLine, libraries: None) -> Iterator[InLine]:
    """Return the vendors without faults."""
    del libraries
    servers.clear()
    yield servers
    servers.clear()


@pytest.fixture
async def runtime(database_file: Path, line: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime whose first connection is active, with the others as fallbacks."""
    async with opened(database_file.parent, line) as runtime:
        yield runtime
