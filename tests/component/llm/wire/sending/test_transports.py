"""How calls leave: only to what was judged, never by a redirect, with TLS verified."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from os import utime
from pathlib import Path
from shutil import copy
from typing import Final

import httpx
import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuroraError, BadResponse, ModelCallError, TlpRefused, TlsError
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.llm.wire.sending.transports import (
    AddressRefused,
    judged_transport,
    verifying_context,
)
from tests.component.live import KEYS, until, variable
from tests.examples import settings, snapshot
from tests.world.capture import CaptureServer
from tests.world.certificates import CertificateAuthority
from tests.world.loopback import refused_port
from tests.world.vendor import Fault, VendorServer

LOOPBACK_ALLOWED: Final = AddressPolicy(allowed_hosts=("127.0.0.1", "localhost"))
INSIDE: Final = AddressPolicy(inside_allowed=True)
ONLY_LOOPBACK: Final = AddressPolicy(only=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
ONLY_ELSEWHERE: Final = AddressPolicy(only=(ip_network("10.0.0.0/8"),))
ADDRESSED: Final = ("openai", "deepseek", "anthropic", "vllm", "ollama")
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")


@pytest.fixture
def vendor(ca: CertificateAuthority) -> Iterator[VendorServer]:
    """Play the vendors, each with its key; Ollama lets everyone in."""
    with VendorServer(KEYS, tls=ca.issue().context()) as server:
        yield server


@pytest.fixture
def capture() -> Iterator[CaptureServer]:
    """Capture raw TCP, to show that nothing came."""
    with CaptureServer() as server:
        yield server


@pytest.fixture(autouse=True)
async def _no_proxy_and_no_pool(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Begin without a proxy; end with every kept connection closed."""
    for name in (*PROXIES, "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield
    await adapter.close()


async def _get(policy: AddressPolicy, url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=judged_transport(policy), timeout=60) as client:
        return await client.get(url)


def _handle(
    folder: Path,
    provider: str,
    base_url: str,
    *,
    by_admin: bool = True,
    allowed: str = "127.0.0.1",
) -> LiveChatModel:
    """Return a handle on a provider whose base URL an admin, or the environment, has set."""
    variables = {"LLM_MAX_RETRIES": "0", "LLM_TIMEOUT": "60", "AURORA_ALLOWED_HOSTS": allowed}
    variables[variable(provider, "BASE_URL")] = base_url
    if provider in KEYS:
        variables[variable(provider, "API_KEY")] = KEYS[provider]
    boot, backend = settings(folder, **variables), ServingBackend(provider)
    chosen = {backend.value: ConnectionChoice(base_url=base_url)} if by_admin else {}
    held = snapshot(boot, StoredConfig(providers=chosen))
    pool = ModelPool(_Source(held), boot.llm.local_networks, (allowed,), TrafficLedger(), None)
    binding = pool.of_connection(backend, "specialist", held)
    return LiveChatModel(lambda: binding, lambda pinned: lambda: pinned)


class _Source:
    def __init__(self, held: Snapshot) -> None:
        self.snapshot = held


def _base_url(provider: str, origin: str) -> str:
    return f"{origin}/v1" if provider in {"openai", "vllm"} else origin


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"])
async def test_loopback_that_is_not_allowed_gets_no_connection(
    capture: CaptureServer, host: str
) -> None:
    """However loopback is written, it is refused before a socket is opened."""
    with pytest.raises(AddressRefused, match="AURORA_ALLOWED_HOSTS"):
        await _get(AddressPolicy(), f"http://{host}:{capture.port}/")
    assert capture.connections == 0


async def test_metadata_address_is_refused_to_local_providers_too() -> None:
    """What is never allowed stays so for a provider that may be inside."""
    with pytest.raises(AddressRefused, match="never allowed"):
        await _get(INSIDE, "http://169.254.169.254/latest/meta-data/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("policy", [LOOPBACK_ALLOWED, INSIDE, ONLY_LOOPBACK])
async def test_what_is_allowed_passes(
    vendor: VendorServer, policy: AddressPolicy, host: str
) -> None:
    """An allowed host, a local provider and a restricted call each reach loopback."""
    answer = await _get(policy, f"http://{host}:{vendor.port}/health")
    assert answer.status_code == 200


async def test_restricted_call_outside_the_local_networks_gets_no_connection(
    capture: CaptureServer,
) -> None:
    """A restricted call reaches LLM_LOCAL_NETWORKS and nothing else, allowed or not."""
    with pytest.raises(TlpRefused, match="LLM_LOCAL_NETWORKS"):
        await _get(ONLY_ELSEWHERE, capture.url)
    assert capture.connections == 0


@pytest.mark.parametrize("variable_name", PROXIES)
async def test_judged_connection_uses_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
    vendor: VendorServer,
    capture: CaptureServer,
    variable_name: str,
) -> None:
    """A proxy in the environment would connect to what nobody judged: it gets no byte."""
    monkeypatch.setenv(variable_name, capture.url)
    answer = await _get(LOOPBACK_ALLOWED, f"{vendor.url}/health")
    assert answer.status_code == 200
    assert capture.connections == 0


async def test_name_that_cannot_be_resolved_is_a_connection_error() -> None:
    """A host without an address fails as any other network failure does."""
    with pytest.raises(httpx.ConnectError):
        await _get(INSIDE, "http://no-such-host.invalid/")


async def test_refused_port_is_a_connection_error() -> None:
    """A judged address that doesn't answer is told as such."""
    with pytest.raises(httpx.ConnectError):
        await _get(INSIDE, f"http://127.0.0.1:{refused_port()}/")


async def test_more_than_ten_calls_run_at_once(vendor: VendorServer) -> None:
    """The transport sets no limit of its own: LLM_MAX_CONCURRENCY does."""
    transport = judged_transport(INSIDE)
    gate = threading.Event()
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:
        with vendor.faults.held(Fault(gate=gate)):
            waiting = asyncio.gather(*(client.get(f"{vendor.url}/health") for _ in range(25)))
            await until(lambda: len(vendor.requests) == 25)
            gate.set()
            done = await waiting
    assert {answer.status_code for answer in done} == {200}


@pytest.mark.parametrize("provider", ADDRESSED)
async def test_streams_that_cannot_be_parsed_use_no_connection_up(
    tmp_path: Path, vendor: VendorServer, provider: str
) -> None:
    """After a dozen broken streams a provider at an admin's address still answers."""
    model = _handle(tmp_path, provider, _base_url(provider, vendor.url))
    junk = Fault(status=200, body=b"data: {oops\n\n" * 3, media_type="text/event-stream")
    with vendor.faults.held(junk):
        for _ in range(12):
            with pytest.raises(ModelCallError):
                await model.run([UserMessage("ping")], stream=True)
    vendor.keys.clear()
    answer = await model.run([UserMessage("ping")])
    assert "pong" in answer.get_text_content()


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("provider", ADDRESSED)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_redirect_is_not_followed_from_an_admins_address(
    *,
    tmp_path: Path,
    vendor: VendorServer,
    capture: CaptureServer,
    provider: str,
    status: int,
    stream: bool,
) -> None:
    """A redirect to another origin ends the call; nothing is sent there."""
    model = _handle(tmp_path, provider, _base_url(provider, vendor.url))
    elsewhere = Fault(status=status, headers={"Location": f"{capture.url}/v1/x"})
    with vendor.faults.held(elsewhere), pytest.raises(BadResponse):
        await model.run([UserMessage("ping")], stream=stream)
    assert vendor.requests
    assert capture.connections == 0


@pytest.mark.parametrize("provider", ["openai", "deepseek", "anthropic"])
async def test_address_that_is_not_allowed_gets_no_byte_of_a_call(
    tmp_path: Path, capture: CaptureServer, provider: str
) -> None:
    """A stored base URL that leads inside is judged again when the call connects."""
    model = _handle(tmp_path, provider, _base_url(provider, capture.url), allowed="other.example")
    with pytest.raises(AddressRefused, match="AURORA_ALLOWED_HOSTS"):
        await model.run([UserMessage("ping")])
    assert capture.connections == 0


@pytest.mark.parametrize("exempt", ["", "127.0.0.1"], ids=["other scheme", "exempt by NO_PROXY"])
async def test_connection_that_no_proxy_makes_is_judged_beside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: CaptureServer, exempt: str
) -> None:
    """HTTPS_PROXY excuses only the connections that really go through it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", exempt)
    scheme = "https" if exempt else "http"
    base_url = f"{scheme}://127.0.0.1:{capture.port}/v1"
    model = _handle(tmp_path, "openai", base_url, allowed="other.example")
    with pytest.raises(AuroraError):
        await model.run([UserMessage("ping")])
    assert capture.connections == 0


@pytest.mark.parametrize("provider", ADDRESSED)
@pytest.mark.parametrize("by_admin", [True, False], ids=["an admin's", "the environment's"])
async def test_environment_turns_no_verification_off(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendor: VendorServer,
    provider: str,
    by_admin: bool,
) -> None:
    """A certificate that isn't trusted is refused, whatever litellm's variables say."""
    monkeypatch.setenv("SSL_VERIFY", "False")
    model = _handle(tmp_path, provider, _base_url(provider, vendor.tls_url), by_admin=by_admin)
    with pytest.raises(TlsError):
        await model.run([UserMessage("ping")])
    assert vendor.requests == []


async def test_certificate_of_ssl_cert_file_is_trusted(
    monkeypatch: pytest.MonkeyPatch, vendor: VendorServer, ca: CertificateAuthority
) -> None:
    """A site's own authority, named by SSL_CERT_FILE, is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))
    answer = await _get(INSIDE, f"{vendor.tls_url}/health")
    assert answer.status_code == 200


async def test_certificate_is_checked_against_the_name_not_the_address(
    monkeypatch: pytest.MonkeyPatch, ca: CertificateAuthority
) -> None:
    """Connecting to a judged address keeps the host's name for TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))
    with VendorServer(tls=ca.issue("localhost").context()) as named:
        url = f"https://localhost:{named.tls_port}/health"
        assert (await _get(INSIDE, url)).status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await _get(INSIDE, f"{named.tls_url}/health")


def test_a_bundle_is_read_again_once_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: CertificateAuthority
) -> None:
    """A renewed one counts for the next transport; reading it for each would hold up the loop."""
    bundle = copy(ca.pem, tmp_path / "bundle.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    before = verifying_context()
    assert verifying_context() is before
    (other := tmp_path / "other").mkdir()
    copy(CertificateAuthority(other).pem, bundle)
    utime(bundle, ns=(0, 0))
    assert verifying_context().get_ca_certs() != before.get_ca_certs()


def test_context_verifies_names_and_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call's context asks for a certificate and checks its host name."""
    monkeypatch.setenv("SSL_VERIFY", "False")
    context = verifying_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
