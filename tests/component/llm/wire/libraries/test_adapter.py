"""The table of what goes wrong at a provider and which of our errors it becomes."""

import asyncio
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.config.settings import Settings
from aurorasoc.errors import (
    AuroraError,
    AuthFailed,
    BadResponse,
    CutBeforeAnswer,
    EndpointNotFound,
    ModelCallError,
    ModelNotFound,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExceeded,
    RequestRefused,
    TlsError,
)
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, PROVIDERS, World, handle_on, until, variable
from tests.examples import config_request, settings
from tests.world.canaries import found as found_in
from tests.world.connect_proxy import ConnectProxy
from tests.world.loopback import refused_port
from tests.world.vendor import Fault, Refusal

JSON_ERROR: Final = b'{"error": {"message": "no", "type": "error", "code": null}}'
JUNK: Final = b'{"hello": 1}'

REFUSED: Final[dict[str, tuple[Fault, type[ModelCallError]]]] = {
    "401": (Fault(refusal=Refusal.BAD_KEY), AuthFailed),
    "401 page": (Fault.html(401), AuthFailed),
    "401 echoing the key": (Fault(refusal=Refusal.BAD_KEY, echo_key=True), AuthFailed),
    "403": (Fault(refusal=Refusal.FORBIDDEN), AuthFailed),
    "unknown model": (Fault(refusal=Refusal.UNKNOWN_MODEL), ModelNotFound),
    "404 page": (Fault.html(404), EndpointNotFound),
    "429 rate": (Fault(refusal=Refusal.RATE_LIMITED), ProviderRateLimited),
    "429 page": (Fault.html(429), ProviderRateLimited),
    "quota": (Fault(refusal=Refusal.QUOTA), QuotaExceeded),
    "unpaid": (Fault(refusal=Refusal.UNPAID), QuotaExceeded),
    "402": (Fault(status=402, body=JSON_ERROR), QuotaExceeded),
    "400": (Fault(refusal=Refusal.BAD_REQUEST), RequestRefused),
    "418": (Fault(status=418, body=JSON_ERROR), BadResponse),
    "408": (Fault(status=408, body=JSON_ERROR), ProviderTimeout),
    "500": (Fault(refusal=Refusal.SERVER_ERROR), ProviderOverloaded),
    "overloaded": (Fault(refusal=Refusal.OVERLOADED), ProviderOverloaded),
    "502": (Fault.html(502), ProviderOverloaded),
    "503": (Fault.html(503), ProviderOverloaded),
    "504": (Fault.html(504), ProviderTimeout),
    "529": (Fault(status=529, body=JSON_ERROR), ProviderOverloaded),
    "redirect": (Fault(redirect="http://127.0.0.1:9/elsewhere"), BadResponse),
    "reset": (Fault(reset=True), ProviderUnreachable),
    "page": (Fault.html(200), BadResponse),
    "other JSON": (Fault(status=200, body=JUNK), BadResponse),
    "nothing": (Fault(status=200), BadResponse),
    "page that speaks of keys": (
        Fault(status=200, body=b"insufficient_quota: api key not valid"),
        BadResponse,
    ),
}
AS_SUCCESS: Final[dict[str, tuple[bytes, type[ModelCallError]]]] = {
    "LM Studio": (b'{"error": "Unexpected endpoint or method. (POST /x)"}', EndpointNotFound),
    "OpenRouter": (b'{"error": {"code": 502, "message": "Bad gateway"}}', ProviderOverloaded),
    "OpenRouter, within its choice": (
        b'{"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "slow"}}]}',
        ProviderRateLimited,
    ),
    "RunPod": (
        b'{"object": "error", "code": 404, "message": "The model `m` does not exist."}',
        ModelNotFound,
    ),
}
BROKEN_STREAMS: Final[dict[str, tuple[Fault, type[ModelCallError]]]] = {
    "empty stream": (Fault(empty_stream=True), BadResponse),
    "cut by a reset": (Fault(cut_after=2), ProviderUnreachable),
    "cut politely": (Fault(cut_after=2, cut_politely=True), ProviderUnreachable),
}
ADDRESSED: Final = tuple(provider for provider in PROVIDERS if provider != "gemini")
"""The providers whose address can be set."""

PING: Final[list[Any]] = [UserMessage("ping")]

Row = dict[str, type[AuroraError]]


async def _row(boot: Settings, *, stream: bool, providers: tuple[str, ...] = PROVIDERS) -> Row:
    """Call each provider once and give the class of what each raises."""
    return {provider: type(await _failure(boot, provider, stream=stream)) for provider in providers}


async def _failure(boot: Settings, provider: str, *, stream: bool) -> AuroraError:
    with pytest.raises(AuroraError) as caught:
        await handle_on(boot, provider).run(PING, stream=stream)
    return caught.value


def _all(expected: type[AuroraError], providers: tuple[str, ...] = PROVIDERS) -> Row:
    return dict.fromkeys(providers, expected)


def _set(world: World, fault: Fault) -> None:
    world.keyed.faults.set(fault)
    world.ollama.faults.set(fault)


@pytest.fixture
def boot(world: World, tmp_path: Path) -> Settings:
    """Return settings with every provider's key."""
    return settings(tmp_path, **world.variables())


@pytest.fixture(params=[False, True], ids=["plain", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call plain and streamed."""
    return bool(request.param)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_fault_is_the_same_error_at_every_provider(
    world: World, boot: Settings, name: str, *, stream: bool
) -> None:
    """Whatever the vendor's wording and litellm's class are."""
    fault, expected = REFUSED[name]
    _set(world, fault)
    assert await _row(boot, stream=stream) == _all(expected)


@pytest.mark.parametrize("name", AS_SUCCESS)
async def test_an_error_answered_as_a_success_is_that_error(
    world: World, boot: Settings, name: str, *, stream: bool
) -> None:
    """Gateways have begun to answer, or never look, before they know of it."""
    body, expected = AS_SUCCESS[name]
    world.keyed.faults.set(Fault(status=200, body=body))
    assert type(await _failure(boot, "vllm", stream=stream)) is expected


@pytest.mark.parametrize("name", REFUSED)
async def test_a_fault_costs_one_request(world: World, boot: Settings, name: str) -> None:
    """Neither litellm nor a vendor's SDK tries again behind `LLM_MAX_RETRIES`."""
    _set(world, REFUSED[name][0])
    await _row(boot, stream=False)
    assert (len(world.keyed.requests), len(world.ollama.requests)) == (5, 1)


@pytest.mark.parametrize("name", BROKEN_STREAMS)
async def test_a_broken_stream_is_never_a_whole_answer(
    world: World, boot: Settings, name: str
) -> None:
    """Left alone, litellm makes up `finish_reason: stop` for half an answer."""
    fault, expected = BROKEN_STREAMS[name]
    _set(world, fault)
    assert await _row(boot, stream=True) == _all(expected)


async def test_answers_are_asked_for_as_they_are(world: World, boot: Settings) -> None:
    """Compressed, a stream's end could not be told from its breaking off."""
    for provider in PROVIDERS:
        await handle_on(boot, provider).run(PING, stream=True)
    sent = [*world.keyed.requests, *world.ollama.requests]
    assert [exchange.headers["accept-encoding"] for exchange in sent] == ["identity"] * 6


async def test_an_answer_all_of_thinking_is_empty_or_says_why(
    world: World, boot: Settings, *, stream: bool
) -> None:
    """Whether or not the vendor shows its thinking: no answer looks like one without a word."""
    _set(world, Fault(empty_content=True))
    assert await _row(boot, stream=stream) == _all(CutBeforeAnswer)


async def test_a_silent_provider_is_a_timeout(
    world: World, tmp_path: Path, *, stream: bool
) -> None:
    """`LLM_TIMEOUT` holds for plain and streamed calls at every provider."""
    with _silenced(world):
        hasty = settings(tmp_path, **world.variables(LLM_TIMEOUT="0.3"))
        assert await _row(hasty, stream=stream) == _all(ProviderTimeout)


async def test_a_stream_that_stalls_is_a_timeout(world: World, tmp_path: Path) -> None:
    """In a stream `LLM_TIMEOUT` is the time until the next piece."""
    _set(world, Fault(event_delay=5.0))
    hasty = settings(tmp_path, **world.variables(LLM_TIMEOUT="0.3"))
    assert await _row(hasty, stream=True) == _all(ProviderTimeout)


async def test_a_refused_connection_is_unreachable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """Nobody listens; for Gemini, whose address is fixed, it is the proxy that is gone."""
    nobody = f"http://127.0.0.1:{refused_port()}"
    monkeypatch.setenv("HTTPS_PROXY", nobody)
    gone = settings(tmp_path, **world.variables(**_base_urls(nobody)))
    assert await _row(gone, stream=stream) == _all(ProviderUnreachable)


async def test_a_proxy_that_refuses_is_unreachable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's egress proxy answers CONNECT with a 502."""
    with ConnectProxy(None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        boot = settings(tmp_path, **world.variables())
        assert await _row(boot, stream=False, providers=("gemini",)) == {
            "gemini": ProviderUnreachable
        }


async def test_a_name_without_an_address_is_unreachable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """RFC 6761 keeps `.invalid` from ever resolving. Gemini's name can't be changed."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,nowhere.invalid")
    lost = settings(tmp_path, **world.variables(**_base_urls("http://nowhere.invalid")))
    assert await _row(lost, stream=stream, providers=ADDRESSED) == _all(
        ProviderUnreachable, ADDRESSED
    )


async def test_an_untrusted_certificate_is_a_tls_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """The vendors' certificates come from an authority that isn't trusted here."""
    monkeypatch.delenv("SSL_CERT_FILE")
    boot = settings(tmp_path, **world.variables(**_base_urls(world.keyed.tls_url)))
    assert await _row(boot, stream=stream) == _all(TlsError)


@pytest.mark.parametrize("name", ["untrusted", "refused", "reset", "cut politely"])
async def test_a_connection_to_a_judged_address_fails_with_the_same_errors(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An admin's base URL goes through a transport of ours; its faults have the same codes."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("HTTPS_PROXY")
    url, expected = {
        "untrusted": (world.keyed.tls_url, TlsError),
        "refused": (f"http://127.0.0.1:{refused_port()}", ProviderUnreachable),
        "reset": (world.keyed.url, ProviderUnreachable),
        "cut politely": (world.keyed.url, ProviderUnreachable),
    }[name]
    key = SecretStr(KEYS["openai"])
    await runtime.admin.switch(config_request("openai", base_url=url, api_key=key), actor="a")
    _set(world, {"reset": Fault(reset=True)}.get(name, BROKEN_STREAMS["cut politely"][0]))
    with pytest.raises(ModelCallError) as caught:
        await get_chat_model().run(PING, stream=True)
    assert type(caught.value) is expected


async def test_a_connection_that_breaks_does_not_end_others(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Litellm's second try would close the judged transport under all who share it."""
    monkeypatch.delenv("HTTPS_PROXY")
    key, gate = SecretStr(KEYS["deepseek"]), threading.Event()
    await runtime.admin.switch(
        config_request("deepseek", base_url=world.keyed.url, api_key=key), actor="a"
    )
    world.keyed.faults.set(Fault(gate=gate))
    waiting = asyncio.create_task(_answer())
    await until(lambda: len(world.keyed.requests) == 1)
    world.keyed.faults.set(Fault(reset=True))
    with pytest.raises(ProviderUnreachable):
        await _answer()
    gate.set()
    assert await waiting == "deepseek-v4-flash says: pong"


async def _answer() -> str:
    return str((await get_chat_model().run(PING)).get_text_content())


async def test_nothing_of_the_libraries_leaves(
    world: World, boot: Settings, *, stream: bool
) -> None:
    """No cause, no context and no key: neither in the error's text nor in our frames."""
    _set(world, Fault(refusal=Refusal.BAD_KEY, echo_key=True))
    for provider in PROVIDERS:
        error = await _failure(boot, provider, stream=stream)
        assert (error.__cause__, error.__context__) == (None, None)
        places = {"text": f"{error} {error!r} {error.args} {vars(error)}".encode()}
        places["traceback"] = "".join(traceback.format_exception(error)).encode()
        places |= dict(_locals_of_our_frames(error))
        assert found_in(KEYS.values(), places) == []


def _locals_of_our_frames(error: BaseException) -> Iterator[tuple[str, bytes]]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        if "/aurorasoc/" in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                place = f"{frame.f_code.co_filename}:{line} {name}"
                yield place, f"{value!r} {getattr(value, '__dict__', '')}".encode()


def _base_urls(url: str) -> dict[str, str]:
    return {variable(provider, "BASE_URL"): url for provider in ADDRESSED}


@contextmanager
def _silenced(world: World) -> Iterator[None]:
    """Hold every answer back until the block ends."""
    gate = threading.Event()
    _set(world, Fault(gate=gate))
    try:
        yield
    finally:
        gate.set()
