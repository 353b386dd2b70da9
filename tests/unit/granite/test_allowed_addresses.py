"""Where an admin's base URL may lead: judged when it is set, by what the provider may be."""

import httpx
import pytest

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.allowed_addresses import address_policy_of, require_allowed_address

ORIGIN = "https://gateway.lan:443"

HOSTED = [
    ServingBackend.OPENAI,
    ServingBackend.DEEPSEEK,
    ServingBackend.ANTHROPIC,
    ServingBackend.GEMINI,
]
LOCAL = [ServingBackend.OLLAMA, ServingBackend.VLLM]
INSIDE = ["http://127.0.0.1:9", "http://localhost", "http://10.1.2.3", "http://[::1]:9"]
NEVER = ["http://169.254.169.254", "http://0.0.0.0", "http://[fe80::1]", "http://224.0.0.1"]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize("provider", HOSTED)
@pytest.mark.parametrize("base_url", INSIDE)
async def test_hosted_provider_may_not_lead_inside(provider: ServingBackend, base_url: str) -> None:
    """Loopback and private addresses are refused, and the message names the cure."""
    with pytest.raises(InvalidInput, match="AURORA_ALLOWED_HOSTS"):
        await require_allowed_address(provider, base_url, ())


@pytest.mark.parametrize("provider", LOCAL)
@pytest.mark.parametrize("base_url", INSIDE)
async def test_local_backend_may_lead_inside(provider: ServingBackend, base_url: str) -> None:
    """Ollama and vLLM live on loopback and private addresses."""
    await require_allowed_address(provider, base_url, ())


@pytest.mark.parametrize("provider", [*HOSTED, *LOCAL])
@pytest.mark.parametrize("base_url", NEVER)
async def test_no_provider_may_lead_to_what_is_never_allowed(
    provider: ServingBackend, base_url: str
) -> None:
    """Link-local, metadata and reserved addresses are refused even to hosts that are allowed."""
    host = base_url.removeprefix("http://").strip("[]")
    with pytest.raises(InvalidInput, match="never allowed"):
        await require_allowed_address(provider, base_url, (host,))


@pytest.mark.parametrize("provider", HOSTED)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3"])
async def test_host_that_is_allowed_passes(provider: ServingBackend, host: str) -> None:
    """AURORA_ALLOWED_HOSTS opens the way to the host that it names."""
    await require_allowed_address(provider, f"http://{host}:8443/v1", (host,))


async def test_allowed_host_opens_no_other_way() -> None:
    """An allowed name doesn't allow the address that it leads to."""
    with pytest.raises(InvalidInput, match="AURORA_ALLOWED_HOSTS"):
        await require_allowed_address(ServingBackend.OPENAI, "http://127.0.0.1", ("localhost",))


async def test_name_that_cannot_be_resolved_passes() -> None:
    """A proxy may know it; a connection made without one is judged again."""
    await require_allowed_address(ServingBackend.OPENAI, "https://no-such-host.invalid", ())


@pytest.mark.parametrize("provider", [*HOSTED, *LOCAL])
def test_reach_is_what_the_provider_may_be(provider: ServingBackend) -> None:
    """Only ollama and vllm may be inside; allowed hosts hold for all."""
    expected = AddressPolicy(inside_allowed=provider in LOCAL, allowed_hosts=("gateway.lan",))
    assert address_policy_of(provider, ORIGIN, ("gateway.lan",)) == expected


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_sites_proxy_judges_what_goes_through_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Behind an egress proxy names are resolved there, and the connection isn't judged here."""
    monkeypatch.setenv(name, "http://proxy.lan:3128")
    assert address_policy_of(ServingBackend.OPENAI, ORIGIN, ()) is None


EXEMPTIONS = ["gateway.lan", "GATEWAY.LAN", ".LAN", "*", "https://gateway.lan"]


@pytest.mark.parametrize(
    "exempt", [*EXEMPTIONS, "other.lan", "gateway", "ateway.lan", "10.0.0.1", ""]
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_httpx_connects_to_itself_is_judged(
    monkeypatch: pytest.MonkeyPatch, name: str, exempt: str
) -> None:
    """However an exemption is written, httpx's reading of it never leaves a connection unjudged."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.lan:3128")
    monkeypatch.setenv(name, exempt)
    client = httpx.Client()
    direct = client._transport_for_url(httpx.URL(ORIGIN)) is client._transport
    assert direct == (exempt in EXEMPTIONS)
    assert (address_policy_of(ServingBackend.OPENAI, ORIGIN, ()) is not None) == direct
