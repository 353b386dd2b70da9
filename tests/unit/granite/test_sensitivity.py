"""Sensitivity: a label above the limit never leaves, and only an address proves what is local."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend, Tlp
from aurorasoc.errors import BackendUnavailable, HostedStopped, TlpRefused
from aurorasoc.granite.backend_resolution import refresh_resolution
from aurorasoc.granite.sensitivity import Route, require_local, route, why_not_local
from aurorasoc.llm.adoption.stored import StoredConfig
from tests.examples import settings, snapshot

LOCAL: Final = {ServingBackend.OLLAMA, ServingBackend.VLLM}
LABELS: Final = [None, *(label for label in Tlp if label is not Tlp.NONE)]
CHOICES: Final = [*ServingBackend, AUTO]
LOCAL_CHOICES: Final = ["auto", "ollama", "vllm"]
DEFAULT_NETWORKS: Final = [
    ip_network(network)
    for network in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
]
VLLM: Final = ServingBackend.VLLM


async def _ollama_answers(_: ServingBackend, url: str) -> int:
    return 200 if url.endswith("/api/tags") else 0


def _policy(folder: Path, backend: str, maximum: str, local: str = "auto") -> Snapshot:
    return snapshot(
        settings(folder, LLM_BACKEND=backend, LLM_HOSTED_MAX_TLP=maximum, LLM_LOCAL_BACKEND=local)
    )


def _expected(label: Tlp | None, maximum: Tlp, choice: str, local: str) -> Route:
    """Say the design's rule again, as plainly as can be, with Ollama the one that was found."""
    detected = ServingBackend.OLLAMA
    active = detected if choice == AUTO else ServingBackend(choice)
    order = ["NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    if label is None or order.index(label) <= order.index(maximum):
        return Route(active, restricted=False)
    if choice in {"ollama", "vllm"}:
        return Route(active, restricted=True)
    return Route(detected if local == "auto" else ServingBackend(local), restricted=True)


@pytest.mark.parametrize("maximum", list(Tlp))
@pytest.mark.parametrize("choice", CHOICES)
async def test_route_follows_the_matrix(maximum: Tlp, choice: str, tmp_path: Path) -> None:
    """Every label, with every limit, every active backend and every local choice."""
    for local in LOCAL_CHOICES:
        boot = _policy(tmp_path, choice, maximum, local)
        await refresh_resolution(boot, _ollama_answers)
        for label in LABELS:
            assert route(boot, label) == _expected(label, maximum, choice, local)


@pytest.mark.parametrize("maximum", list(Tlp))
@pytest.mark.parametrize("choice", CHOICES)
async def test_no_label_above_the_limit_goes_to_a_hosted_provider(
    maximum: Tlp, choice: str, tmp_path: Path
) -> None:
    """What leaves the table is local and restricted, or nothing."""
    boot = _policy(tmp_path, choice, maximum)
    await refresh_resolution(boot, _ollama_answers)
    for label in LABELS[1:]:
        chosen = route(boot, label)
        assert label is not None
        assert chosen.restricted == (label.rank > maximum.rank)
        assert chosen.connection in LOCAL or not chosen.restricted


@pytest.mark.parametrize("choice", ["auto", "deepseek"])
def test_restricted_request_without_local_backend_is_refused(choice: str, tmp_path: Path) -> None:
    """No fallback crosses the line."""
    with pytest.raises(BackendUnavailable):
        route(_policy(tmp_path, choice, "GREEN"), Tlp.RED)


def test_none_lets_no_labelled_request_leave(tmp_path: Path) -> None:
    """Not even CLEAR."""
    chosen = route(_policy(tmp_path, "openai", "NONE", "vllm"), Tlp.CLEAR)
    assert chosen == Route(VLLM, restricted=True)


def test_limit_set_at_runtime_counts(tmp_path: Path) -> None:
    """An admin tightens the policy without a restart."""
    boot = settings(tmp_path, LLM_BACKEND="openai", LLM_HOSTED_MAX_TLP="RED")
    tightened = StoredConfig(revision=1, hosted_max_tlp="CLEAR", local_backend="vllm")
    assert route(snapshot(boot), Tlp.GREEN) == Route(ServingBackend.OPENAI, restricted=False)
    assert route(snapshot(boot, tightened), Tlp.GREEN) == Route(VLLM, restricted=True)


@pytest.mark.parametrize("backend", ["deepseek", "vllm"])
def test_unlabelled_request_is_refused_where_labels_are_required(
    backend: str, tmp_path: Path
) -> None:
    """Whatever is active, local or not."""
    boot = snapshot(settings(tmp_path, LLM_BACKEND=backend, LLM_REQUIRE_TLP="true"))
    with pytest.raises(TlpRefused, match="LLM_REQUIRE_TLP"):
        route(boot, None)


def test_labelled_request_passes_where_labels_are_required(tmp_path: Path) -> None:
    """The label is all that is asked for."""
    boot = snapshot(settings(tmp_path, LLM_BACKEND="deepseek", LLM_REQUIRE_TLP="true"))
    assert route(boot, Tlp.GREEN) == Route(ServingBackend.DEEPSEEK, restricted=False)


async def _stays(
    origin: str, *, backend: ServingBackend = VLLM, proxies: Mapping[str, str] | None = None
) -> bool:
    return await why_not_local(backend, origin, DEFAULT_NETWORKS, proxies or {}) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:8000",
        "http://127.255.255.254:8000",
        "http://10.1.2.3:8000",
        "http://172.31.0.1:8000",
        "https://192.168.7.7:443",
        "http://[::1]:8000",
        "http://[fd12:3456::1]:8000",
        "http://localhost:8000",
        "http://[::ffff:127.0.0.1]:8000",
        "http://[::ffff:10.0.0.1]:8000",
    ],
)
async def test_address_inside_the_networks_is_local(origin: str) -> None:
    """Loopback, private, and IPv4 mapped into IPv6."""
    assert await _stays(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://8.8.8.8:8000",
        "http://172.32.0.1:8000",
        "http://169.254.169.254:80",
        "http://100.64.0.1:8000",
        "http://0.0.0.0:8000",
        "http://224.0.0.1:8000",
        "http://[2001:4860:4860::8888]:8000",
        "http://[fe80::1]:8000",
        "http://[::]:8000",
        "http://[::ffff:8.8.8.8]:8000",
        "http://[::ffff:169.254.169.254]:80",
        "http://[64:ff9b::a00:1]:8000",
        "http://[2002:a00:1::]:8000",
    ],
)
async def test_address_outside_the_networks_is_not_local(origin: str) -> None:
    """Public, link-local, shared, translated: none of them proves anything."""
    why = await why_not_local(VLLM, origin, DEFAULT_NETWORKS, {})
    assert why is not None
    assert "LLM_LOCAL_NETWORKS" in why


@pytest.mark.parametrize(
    "origin", ["http://nowhere.invalid:8000", f"http://{'a' * 64}.lan:8000", "http://a..b:80", ""]
)
async def test_host_that_does_not_resolve_is_not_local(origin: str) -> None:
    """A name that only a proxy would resolve proves nothing."""
    why = await why_not_local(VLLM, origin, DEFAULT_NETWORKS, {})
    assert why is not None
    assert "can't be resolved" in why


@pytest.mark.parametrize("backend", sorted(set(ServingBackend) - LOCAL))
async def test_hosted_provider_on_localhost_is_still_hosted(backend: ServingBackend) -> None:
    """A relay on loopback passes data on."""
    assert not await _stays("http://localhost:8000", backend=backend)


@pytest.mark.parametrize("backend", sorted(LOCAL))
async def test_both_local_backends_may_be_local(backend: ServingBackend) -> None:
    """Ollama and vLLM."""
    assert await _stays("http://localhost:8000", backend=backend)


async def test_networks_of_the_site_are_what_counts() -> None:
    """A site may name its own, and leave loopback out."""
    site = [ip_network("198.51.100.0/24")]
    assert await why_not_local(VLLM, "http://198.51.100.7:8000", site, {}) is None
    assert await why_not_local(VLLM, "http://127.0.0.1:8000", site, {}) is not None
    assert await why_not_local(VLLM, "http://127.0.0.1:8000", [], {}) is not None


PROXIED: Final = [
    {"http": "http://proxy:3128"},
    {"all": "socks5://proxy:1080"},
    {"http": "http://proxy:3128", "no": ""},
    {"http": "http://proxy:3128", "no": "other.lan,.example"},
    {"http": "http://proxy:3128", "no": "ocalhost"},
    {"http": "http://proxy:3128", "no": "host"},
    {"http": "http://proxy:3128", "no": ".localhost"},
    {"http": "http://proxy:3128", "no": ","},
    {"http": "http://proxy:3128", "no": "localhost:8000"},
]
DIRECT: Final = [
    {},
    {"no": "localhost"},
    {"https": "http://proxy:3128"},
    {"http": "", "all": ""},
    {"http": "http://proxy:3128", "no": "localhost"},
    {"http": "http://proxy:3128", "no": "other.lan, localhost "},
    {"http": "http://proxy:3128", "all": "http://proxy:3128", "no": "*"},
]


@pytest.mark.parametrize("proxies", PROXIED)
async def test_proxied_backend_is_not_local(proxies: Mapping[str, str]) -> None:
    """The proxy would see the data; an exemption that clients read otherwise is none."""
    assert not await _stays("http://localhost:8000", proxies=proxies)


@pytest.mark.parametrize("proxies", DIRECT)
async def test_backend_exempt_from_proxies_is_local(proxies: Mapping[str, str]) -> None:
    """`NO_PROXY`, or a proxy for another scheme."""
    assert await _stays("http://localhost:8000", proxies=proxies)


async def test_https_backend_follows_the_https_proxy() -> None:
    """The proxy of the origin's own scheme is the one that counts."""
    assert not await _stays("https://localhost:443", proxies={"https": "http://proxy:3128"})
    assert await _stays("https://localhost:443", proxies={"http": "http://proxy:3128"})


async def test_address_in_no_proxy_is_matched_as_a_whole() -> None:
    """`7.0.0.1` does not exempt `127.0.0.1`: no client reads it so."""
    proxy = {"http": "http://proxy:3128"}
    assert not await _stays("http://127.0.0.1:80", proxies={**proxy, "no": "7.0.0.1"})
    assert await _stays("http://127.0.0.1:80", proxies={**proxy, "no": "127.0.0.1"})


async def test_restricted_call_to_a_local_backend_passes() -> None:
    """Nothing is raised, nothing is returned."""
    await require_local(VLLM, "http://127.0.0.1:8000", DEFAULT_NETWORKS, {})


async def test_restricted_call_that_would_leave_is_refused_with_the_reason() -> None:
    """Judged anew for each call."""
    with pytest.raises(TlpRefused, match=r"needs a local backend, and .*outside"):
        await require_local(VLLM, "http://8.8.8.8:8000", DEFAULT_NETWORKS, {})


@pytest.mark.parametrize("by", ["hosted_traffic", "stopped_here"])
@pytest.mark.parametrize("choice", [one for one in CHOICES if one != AUTO])
async def test_a_stop_holds_for_every_label_and_for_none(
    choice: str, by: str, tmp_path: Path
) -> None:
    """No call is hosted then, and what may be local has to prove it; by the database or a file."""
    boot, stop = _policy(tmp_path, choice, "GREEN"), HostedTraffic("stopped")
    stored = by == "hosted_traffic"
    boot = replace(boot, hosted_traffic=stop) if stored else replace(boot, stopped_here=stop)
    await refresh_resolution(boot, _ollama_answers)
    for label in LABELS:
        if choice in LOCAL:
            assert route(boot, label) == Route(choice, restricted=True)
        elif label is not None and label.rank > Tlp.GREEN.rank:  # as ever: the label chooses
            assert route(boot, label) == Route("ollama", restricted=True)
        else:
            with pytest.raises(HostedStopped):
                route(boot, label)
