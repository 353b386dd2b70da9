"""Hostile addresses: refused when an admin sets them, before a name is asked or a byte is sent."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from aurorasoc.api.app import create_app
from aurorasoc.granite.address_policy import resolve
from aurorasoc.runtime import open_runtime
from tests.examples import API_KEY, JWT_SECRET, settings
from tests.world.capture import CaptureServer
from tests.world.service import API, CONFIG, PROVIDERS, bearer, token

INSIDE: Final = (
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:192.168.1.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2002:c0a8:101::]",
)
"""Loopback, private and shared ranges, plain and inside other notations."""

NEVER: Final = (
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[fe80::1]",
    "[fe80::a9fe:a9fe]",
    "[febf::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:0.0.0.0]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::]",
    "[2002:a9fe:a9fe::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:a83f:8110::]",
)
"""Metadata services, link-local, multicast, reserved: refused to everyone."""

AMBIGUOUS: Final = (
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://017700000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.1",
    "http://127.0.0.1.1",
    "http://127.0.0.1.",
    "http://2852039166",
    "http://0xa9fea9fe",
    "http://169.254.43518",
    "http://[::127.0.0.1%25lo]",
    "http://[fe80::1%25eth0]",
    "http://user@127.0.0.1",
    "http://user:password@127.0.0.1",
    "http://api.openai.com@127.0.0.1",
    "http://api.openai.com:443@127.0.0.1",
    "http://127.0.0.1\\@api.openai.com",
    "http://127.0.0.1\\.api.openai.com",
    "http:\\\\127.0.0.1",
    "http:/127.0.0.1",
    "http:127.0.0.1",
    "http:///127.0.0.1",
    "//127.0.0.1",
    "http://127%2e0%2e0%2e1",
    "http://%31%32%37.0.0.1",
    "http://127.0.0.1%00.example",
    "http://127.0.0.1#.openai.com",
    "http://127.0.0.1?.openai.com",
    "http://127\u30020\u30020\u30021",
    "http://\uff11\uff12\uff17.0.0.1",
    "http://\u246b7.0.0.1",
    "http://loc\u00adalhost",
    "http://localhost\u200b",
    "http://127.0.0.1/\tv1",
    "http://127.0.0.1\r\nHost: api.openai.com",
    "http://127.0.0.1:80:443",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:0",
    "http://[::1",
    "http://::1",
    "http://[::1]127.0.0.1",
    "http://[127.0.0.1]",
    "file:///etc/passwd",
    "gopher://127.0.0.1",
    "unix:///var/run/docker.sock",
    "javascript:alert(1)",
    "ftp://127.0.0.1",
)
"""Addresses with a second reading, or with none."""


class Platform:
    """The app on an open runtime, and what an admin sees of its configuration."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Speak as an admin."""
        self.client = client

    async def put(self, base_url: str, **query: str) -> httpx.Response:
        """Ask for a base URL for OpenAI, key and all."""
        body = {"provider": "openai", "base_url": base_url, "api_key": API_KEY}
        return await self.client.put(CONFIG, json=body, params=query)

    async def seen(self) -> dict[str, Any]:
        """Return the inventory."""
        return dict((await self.client.get(PROVIDERS)).json())


@pytest.fixture
def capture() -> Iterator[CaptureServer]:
    """Capture raw TCP, to show that nothing came."""
    with CaptureServer() as server:
        yield server


@pytest.fixture
async def platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_file: Path
) -> AsyncIterator[Platform]:
    """Open a runtime on an empty database, without a proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    boot = settings(tmp_path)
    assert boot.database_url == f"sqlite:///{database_file}"
    transport = httpx.ASGITransport(create_app(boot))
    headers = bearer(token(secret=JWT_SECRET))
    async with (
        open_runtime(boot),
        httpx.AsyncClient(
            transport=transport, base_url=f"http://127.0.0.1{API}", headers=headers
        ) as client,
    ):
        yield Platform(client)


async def test_address_inside_is_refused_and_the_cure_is_named(
    platform: Platform, capture: CaptureServer
) -> None:
    """Each is a 422 that names AURORA_ALLOWED_HOSTS; nothing changes, and nobody is called."""
    before = await platform.seen()
    for host in INSIDE:
        answer = await platform.put(f"http://{host}:{capture.port}/v1")
        assert answer.status_code == 422, host
        assert "AURORA_ALLOWED_HOSTS" in answer.json()["detail"], host
    assert await platform.seen() == before
    assert capture.connections == 0


async def test_address_that_is_never_allowed_is_refused_without_a_cure(
    platform: Platform, capture: CaptureServer
) -> None:
    """Each is a 422 that says so and offers no setting; nothing changes."""
    before = await platform.seen()
    for host in NEVER:
        answer = await platform.put(f"http://{host}:{capture.port}/v1")
        assert answer.status_code == 422, host
        assert "never allowed" in answer.json()["detail"], host
        assert "AURORA_ALLOWED_HOSTS" not in answer.json()["detail"], host
    assert await platform.seen() == before
    assert capture.connections == 0


async def test_address_with_a_second_reading_is_refused(
    platform: Platform, capture: CaptureServer
) -> None:
    """Each is a 422 that says what an address looks like, and doesn't repeat it."""
    before = await platform.seen()
    for base_url in AMBIGUOUS:
        answer = await platform.put(base_url)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), base_url
        assert "http:// or https://" in answer.json()["detail"], base_url
        assert base_url not in answer.text, base_url
    assert await platform.seen() == before
    assert capture.connections == 0


async def test_verifying_first_calls_nobody_whose_address_is_refused(
    platform: Platform, capture: CaptureServer
) -> None:
    """`?verify=true` would call the address: it is judged before."""
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "localhost"):
        answer = await platform.put(f"http://{host}:{capture.port}/v1", verify="true")
        assert answer.status_code == 422
    assert capture.connections == 0


async def test_local_provider_is_refused_what_is_never_allowed(platform: Platform) -> None:
    """VLLM may be inside, and still not lead to a metadata service."""
    before = await platform.seen()
    for host in NEVER:
        body = {"provider": "vllm", "base_url": f"http://{host}/v1"}
        answer = await platform.client.put(CONFIG, json=body)
        assert answer.status_code == 422, host
    assert await platform.seen() == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "[fd12::1]"])
async def test_local_provider_may_be_inside(platform: Platform, host: str) -> None:
    """VLLM's place is on loopback and private addresses."""
    body = {"provider": "vllm", "base_url": f"http://{host}:8000/v1"}
    assert (await platform.client.put(CONFIG, json=body)).status_code == 200


def test_corpus_is_large_enough() -> None:
    """More than sixty hostile addresses are tried."""
    assert len({*INSIDE, *NEVER, *AMBIGUOUS}) >= 100


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, ".", ""])
async def test_name_without_an_address_has_none(host: str) -> None:
    """What can't be resolved, or is no name at all, gives an empty list rather than an error."""
    assert await resolve(host, 80) == []
