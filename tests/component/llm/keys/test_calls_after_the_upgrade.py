"""After the upgrade to named connections each provider answers, and is sent its own key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import until
from tests.component.llm.keys.test_upgrade_to_connections import (
    KEYS,
    as_written_before,
    keys_of,
    on,
    upgraded,
)
from tests.examples import config_request
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.databases import ON_BOTH, Stored
from tests.world.vault.members import OTHER_KEY, House, house
from tests.world.vendor import VendorServer

__all__ = ["house", "upgraded"]  # pytest finds the fixtures here

pytestmark = ON_BOTH

CALLED: Final = {
    "anthropic": ("api.anthropic.com", "x-api-key", KEYS["anthropic"]),
    "deepseek": ("api.deepseek.com", "authorization", f"Bearer {KEYS['deepseek']}"),
    "openai": ("gw.example", "authorization", f"Bearer {KEYS['openai']}"),
}
"""Where each connection's calls arrive, and with which key."""


@pytest.fixture
async def vendors(
    libraries: None, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VendorServer]:
    """Play the vendors, each with the key of that time, behind the site's proxy."""
    del libraries
    hosts = [host for host, _, _ in CALLED.values()]
    with (
        VendorServer(KEYS, plays=tuple(KEYS), tls=ca.issue(*hosts).context()) as server,
        ConnectProxy(server.tls_port) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))
        await adapter.close()  # a transport that is kept knows the proxies of its own time
        yield server
        await adapter.close()


async def answers_of(runtime: Runtime, vendors: VendorServer) -> dict[str, tuple[str, str, str]]:
    """Switch to each connection, and return what its call brought where."""
    calls: dict[str, tuple[str, str, str]] = {}
    for name, (_, header, _) in CALLED.items():
        vendors.clear()
        await runtime.admin.switch(config_request(name), actor="dora")
        answer = await get_chat_model(tlp="GREEN").run([UserMessage("ping")])
        assert answer.get_text_content().endswith("says: pong")
        (request,) = vendors.requests
        calls[name] = (request.host.partition(":")[0], header, request.headers[header])
    return calls


async def test_every_connection_answers_with_its_key_from_the_database(
    upgraded: Stored, tmp_path: Path, vendors: VendorServer
) -> None:
    """At its own address."""
    async with open_runtime(on(upgraded, tmp_path)) as runtime:
        assert await answers_of(runtime, vendors) == CALLED


async def test_every_connection_answers_with_its_key_from_vault(
    house: House, vendors: VendorServer
) -> None:
    """The key that waited for its change, too."""
    await asyncio.to_thread(as_written_before, house)
    vendors.keys["deepseek"] = OTHER_KEY
    async with open_runtime(house.boot()) as runtime:
        await until(lambda: keys_of(runtime.adoption.snapshot)["deepseek"] == OTHER_KEY)
        bearer = ("api.deepseek.com", "authorization", f"Bearer {OTHER_KEY}")
        assert await answers_of(runtime, vendors) == CALLED | {"deepseek": bearer}
