"""Backend resolution: an explicit choice is never probed, `auto` probes local backends only."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.errors import BackendUnavailable
from aurorasoc.granite import ServingBackend
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.backend_resolution import (
    CACHE_SECONDS,
    active_connection,
    local_connection,
    refresh_resolution,
    reset_resolution_cache,
)
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.models import local_probe as local_probe_module
from aurorasoc.llm.models.local_probe import local_probe, probe_headers
from tests.examples import settings, snapshot
from tests.world.certificates import CertificateAuthority
from tests.world.loopback import LoopbackServer
from tests.world.vendor import VendorServer

VLLM_URL: Final = "http://localhost:8000/health"
OLLAMA_URL: Final = "http://localhost:11434/api/tags"

Talk = Callable[[asyncio.StreamWriter], Awaitable[None]]
KEY: Final = "vk-0123456789abcdef"


class Probe:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self, *answering: str, **statuses: int) -> None:
        """Let these URLs answer 200, and paths that end with a name its status."""
        self.answering = set(answering)
        self.statuses = statuses
        self.asked: list[str] = []

    async def __call__(self, _: ServingBackend, url: str) -> int:
        """Answer for one URL."""
        self.asked.append(url)
        return 200 if url in self.answering else self.statuses.get(url.rsplit("/", 1)[1], 0)


class HandClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


async def _must_not_probe(_: ServingBackend, url: str) -> int:
    pytest.fail(f"{url} was probed")


def _auto(folder: Path, **variables: str) -> Snapshot:
    return snapshot(settings(folder, LLM_BACKEND="auto", **variables))


@pytest.mark.parametrize("backend", list(ServingBackend))
def test_explicit_choice_needs_no_probe(backend: ServingBackend, tmp_path: Path) -> None:
    """It is in force though nothing was ever asked."""
    assert active_connection(snapshot(settings(tmp_path, LLM_BACKEND=backend.value))) == backend


@pytest.mark.parametrize("backend", list(ServingBackend))
async def test_explicit_choice_is_never_replaced(backend: ServingBackend, tmp_path: Path) -> None:
    """Not even when another backend was found and this one wasn't."""
    other = ServingBackend.OLLAMA if backend != "ollama" else ServingBackend.VLLM
    explicit = snapshot(settings(tmp_path, LLM_BACKEND=backend.value))
    await refresh_resolution(explicit, Probe(OLLAMA_URL if other == "ollama" else VLLM_URL))
    assert local_connection(explicit) == other
    assert active_connection(explicit) == backend


async def test_auto_prefers_vllm(tmp_path: Path) -> None:
    """Where both answer, vLLM serves, and Ollama isn't even asked."""
    boot, probe = _auto(tmp_path), Probe(VLLM_URL, OLLAMA_URL)
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.VLLM
    assert probe.asked == [VLLM_URL]


async def test_auto_falls_back_to_ollama(tmp_path: Path) -> None:
    """Where vLLM doesn't answer, Ollama serves."""
    boot, probe = _auto(tmp_path), Probe(OLLAMA_URL)
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.OLLAMA
    assert probe.asked == [VLLM_URL, OLLAMA_URL]


async def test_auto_without_answer_names_both_addresses(tmp_path: Path) -> None:
    """Hosted providers are never a fallback, whatever keys there are."""
    boot = _auto(
        tmp_path,
        LLM_VLLM_BASE_URL="http://gpu.lan:9000/v1",
        LLM_OLLAMA_BASE_URL="http://box.lan:1234",
        LLM_DEEPSEEK_API_KEY="sk-0123456789abcdef",
    )
    await refresh_resolution(boot, Probe())
    with pytest.raises(BackendUnavailable) as refusal:
        active_connection(boot)
    assert "http://gpu.lan:9000/health or http://gpu.lan:9000/v1/models" in refusal.value.detail
    assert "http://box.lan:1234/api/tags" in refusal.value.detail


def test_auto_before_any_probe_is_unavailable(tmp_path: Path) -> None:
    """Nothing is assumed."""
    with pytest.raises(BackendUnavailable):
        active_connection(_auto(tmp_path))


async def test_backend_without_address_is_not_probed(tmp_path: Path) -> None:
    """A base URL set empty takes the backend out of `auto`."""
    boot, probe = _auto(tmp_path, LLM_VLLM_BASE_URL=""), Probe(OLLAMA_URL)
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.OLLAMA
    assert probe.asked == [OLLAMA_URL]


@pytest.mark.parametrize(
    ("base_url", "health"),
    [
        ("http://gpu.lan:9000", "http://gpu.lan:9000/health"),
        ("http://gpu.lan:9000/v1", "http://gpu.lan:9000/health"),
        ("http://gpu.lan:9000/gateway/v1", "http://gpu.lan:9000/gateway/health"),
        ("http://gpu.lan:9000/team-a", "http://gpu.lan:9000/team-a/health"),
    ],
)
async def test_health_is_asked_beside_the_api(base_url: str, health: str, tmp_path: Path) -> None:
    """`/health` stands beside `/v1`, below the path of a gateway that serves several backends."""
    probe, boot = Probe(health), _auto(tmp_path, LLM_VLLM_BASE_URL=base_url)
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.VLLM
    assert probe.asked == [health]


async def test_ollama_is_asked_below_its_path(tmp_path: Path) -> None:
    """As its calls go there."""
    probe = Probe("http://gw.lan/ollama/api/tags")
    boot = _auto(tmp_path, LLM_VLLM_BASE_URL="", LLM_OLLAMA_BASE_URL="http://gw.lan/ollama/v1")
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.OLLAMA


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
async def test_server_without_open_health_is_known_by_its_models(
    status: int, tmp_path: Path
) -> None:
    """LM Studio has no `/health`, and a gateway may guard it."""
    probe = Probe("http://gpu.lan:1234/v1/models", health=status)
    boot = _auto(tmp_path, LLM_VLLM_BASE_URL="http://gpu.lan:1234/v1")
    await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.VLLM


@pytest.mark.parametrize("status", [0, 204, 302, 500, 503])
async def test_server_that_is_not_ready_is_not_found_by_its_models(
    status: int, tmp_path: Path
) -> None:
    """llama.cpp lists its model while it is still loading, and answers 503 for its health."""
    probe = Probe("http://gpu.lan:1234/v1/models", health=status)
    boot = _auto(tmp_path, LLM_VLLM_BASE_URL="http://gpu.lan:1234/v1", LLM_OLLAMA_BASE_URL="")
    await refresh_resolution(boot, probe)
    with pytest.raises(BackendUnavailable):
        active_connection(boot)


@pytest.mark.parametrize("answering", [(VLLM_URL,), ()])
async def test_finding_is_kept_for_sixty_seconds(
    answering: tuple[str, ...], tmp_path: Path
) -> None:
    """Found or not found, it is not asked again before."""
    boot, clock = _auto(tmp_path), HandClock()
    await refresh_resolution(boot, Probe(*answering), clock)
    clock.now += CACHE_SECONDS - 0.001
    await refresh_resolution(boot, _must_not_probe, clock)
    assert CACHE_SECONDS == 60


async def test_finding_is_renewed_after_sixty_seconds(tmp_path: Path) -> None:
    """A backend that went away is noticed."""
    boot, clock = _auto(tmp_path), HandClock()
    await refresh_resolution(boot, Probe(VLLM_URL), clock)
    clock.now += CACHE_SECONDS
    await refresh_resolution(boot, Probe(OLLAMA_URL), clock)
    assert active_connection(boot) == ServingBackend.OLLAMA


async def test_reset_forgets_what_was_found(tmp_path: Path) -> None:
    """The next use probes anew."""
    boot, probe = _auto(tmp_path), Probe(VLLM_URL)
    await refresh_resolution(boot, probe)
    reset_resolution_cache()
    with pytest.raises(BackendUnavailable):
        active_connection(boot)
    await refresh_resolution(boot, probe)
    assert probe.asked == [VLLM_URL, VLLM_URL]


async def test_other_addresses_are_probed_anew(tmp_path: Path) -> None:
    """A finding belongs to the addresses it was made at."""
    await refresh_resolution(_auto(tmp_path), Probe(VLLM_URL))
    moved = _auto(tmp_path, LLM_VLLM_BASE_URL="http://gpu.lan:9000/v1")
    with pytest.raises(BackendUnavailable):
        active_connection(moved)
    await refresh_resolution(moved, probe := Probe())
    assert probe.asked[0] == "http://gpu.lan:9000/health"


async def test_runtime_choice_of_auto_counts(tmp_path: Path) -> None:
    """`auto` may be chosen while the process runs."""
    chosen = snapshot(
        settings(tmp_path, LLM_BACKEND="deepseek"), StoredConfig(revision=1, backend="auto")
    )
    await refresh_resolution(chosen, Probe(OLLAMA_URL))
    assert active_connection(chosen) == ServingBackend.OLLAMA


class Backend(LoopbackServer):
    """A server on loopback that talks as it is told."""

    def __init__(self, talk: Talk) -> None:
        """Talk so in every conversation."""
        super().__init__()
        self._talk = talk
        self.url = ""

    async def _open(self) -> None:
        self.url = f"http://127.0.0.1:{await self._listen(self._converse)}"

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await self._talk(writer)


class Guarded(Backend):
    """A backend that lets in who has the key."""

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = "200 OK" if f"Bearer {KEY}".encode() in head else "401 Unauthorized"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()


def _saying(answer: bytes) -> Talk:
    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return talk


async def _hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _drip(writer: asyncio.StreamWriter) -> None:
    """Begin well, then send a byte of a header now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _is_found(talk: Talk, folder: Path, reach: AddressPolicy | None = None) -> bool:
    """Say whether the real probe finds a server that talks so."""
    with Backend(talk) as server:
        boot = _auto(folder, LLM_VLLM_BASE_URL=server.url, LLM_OLLAMA_BASE_URL="")
        async with asyncio.timeout(60):
            await refresh_resolution(boot, local_probe(lambda _: reach, lambda _: {}))
    try:
        return active_connection(boot) == ServingBackend.VLLM
    except BackendUnavailable:
        return False


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a busy machine the time to answer."""
    monkeypatch.setattr(local_probe_module, "PROBE_SECONDS", 15.0)


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for an answer that never comes no longer than need be."""
    monkeypatch.setattr(local_probe_module, "PROBE_SECONDS", 0.3)


ANSWERS: Final = {
    "ok": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: /v1\r\nContent-Length: 0\r\n\r\n", False),
    "not found": (b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", False),
    "server error": (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", False),
    "not http": (b"SSH-2.0-OpenSSH_9.6\r\n", False),
    "closed": (b"", False),
}


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
async def test_only_200_counts_as_an_answer(answer: bytes, expected: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a column
    """A redirect isn't followed, and an error isn't health."""
    assert await _is_found(_saying(answer), tmp_path) is expected


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("talk", [_hang, _drip])
async def test_server_that_never_finishes_is_not_found(talk: Talk, tmp_path: Path) -> None:
    """The probe has a deadline of its own, which bytes that trickle in don't move."""
    assert not await _is_found(talk, tmp_path)


@pytest.mark.usefixtures("_patient")
async def test_endless_body_is_not_read(tmp_path: Path) -> None:
    """The status answers the question."""
    assert await _is_found(_endless_body, tmp_path)


async def test_nobody_listening_is_not_found(tmp_path: Path) -> None:
    """A refused connection is an answer too."""
    with Backend(_hang) as server:
        pass
    boot = _auto(tmp_path, LLM_VLLM_BASE_URL=server.url, LLM_OLLAMA_BASE_URL="")
    await refresh_resolution(boot, local_probe(lambda _: None, lambda _: {}))
    with pytest.raises(BackendUnavailable):
        active_connection(boot)


@pytest.mark.usefixtures("_patient")
async def test_probe_goes_the_way_that_calls_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the proxy that the environment names, unless it exempts the host."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert not await _is_found(_saying(ANSWERS["ok"][0]), tmp_path)
    reset_resolution_cache()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert await _is_found(_saying(ANSWERS["ok"][0]), tmp_path)


async def test_probe_reaches_what_calls_may_reach(tmp_path: Path) -> None:
    """An address that the policy forbids is not asked, so it isn't found."""
    answer = _saying(ANSWERS["ok"][0])
    assert not await _is_found(answer, tmp_path, AddressPolicy())
    reset_resolution_cache()
    assert await _is_found(answer, tmp_path, AddressPolicy(inside_allowed=True))


async def test_probe_is_let_in_where_calls_are(tmp_path: Path) -> None:
    """A gateway that guards all its paths is asked with the key of the calls."""
    with Guarded(_hang) as server:
        boot = _auto(
            tmp_path,
            LLM_VLLM_BASE_URL=server.url,
            LLM_VLLM_API_KEY=KEY,
            LLM_OLLAMA_BASE_URL="",
        )
        probe = local_probe(
            lambda _: None, lambda backend: probe_headers(boot.connections[backend])
        )
        await refresh_resolution(boot, probe)
    assert active_connection(boot) == ServingBackend.VLLM


async def test_probe_trusts_the_authority_that_calls_trust(
    tmp_path: Path, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` names the site's own; without it, nobody is found."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with VendorServer(plays=["vllm"], tls=ca.issue().context()) as server:
        url = server.tls_url.replace("127.0.0.1", "localhost")
        boot = _auto(tmp_path, LLM_VLLM_BASE_URL=url, LLM_OLLAMA_BASE_URL="")
        await refresh_resolution(boot, local_probe(lambda _: None, lambda _: {}))
        with pytest.raises(BackendUnavailable):
            active_connection(boot)
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))
        reset_resolution_cache()
        await refresh_resolution(boot, local_probe(lambda _: None, lambda _: {}))
    assert active_connection(boot) == ServingBackend.VLLM
