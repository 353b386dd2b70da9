"""The models that a provider itself lists: each vendor's call, kept for a minute, bounded."""

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import (
    AuthFailed,
    BadResponse,
    EndpointNotFound,
    ModelCallError,
    NoModelConfigured,
    ProviderNotReady,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExceeded,
    TlsError,
    UnknownProvider,
)
from aurorasoc.granite.backend_resolution import listing_reference, model_reference
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.models.list_pages import MAX_MODELS, MAX_NAME
from aurorasoc.llm.models.model_lists import MAX_BYTES, MAX_PAGES, ModelLists
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, MODELS, PROVIDERS, World, variable
from tests.examples import config_request, settings, snapshot
from tests.world.canaries import found
from tests.world.loopback import LoopbackServer, refused_port
from tests.world.scripted import ScriptedUpstream
from tests.world.vendor import Fault, Refusal

LISTED: Final = {provider: [f"{model}-b", model] for provider, model in MODELS.items()}
MARK: Final = "words-of-the-upstream"

every_provider = pytest.mark.parametrize("provider", PROVIDERS)

FAILURES: Final[dict[str, tuple[Fault, type[ModelCallError]]]] = {
    "refused key": (Fault(refusal=Refusal.BAD_KEY), AuthFailed),
    "forbidden": (Fault(refusal=Refusal.FORBIDDEN), AuthFailed),
    "rate": (Fault(refusal=Refusal.RATE_LIMITED), ProviderRateLimited),
    "quota": (Fault(refusal=Refusal.QUOTA), QuotaExceeded),
    "down": (Fault(refusal=Refusal.OVERLOADED), ProviderOverloaded),
    "reset": (Fault(reset=True), ProviderUnreachable),
    "redirect": (Fault(redirect="http://127.0.0.1:9/v1/models"), BadResponse),
    "no such path": (Fault.html(404), EndpointNotFound),
    "no such method": (Fault.html(405), EndpointNotFound),
    "page": (Fault.html(), BadResponse),
    "nothing": (Fault(status=200), BadResponse),
    "other JSON": (Fault(status=200, body=b'{"hello": 1}'), BadResponse),
    "other rows": (Fault(status=200, body=b'{"data": [{"hello": 1}]}'), BadResponse),
    "no object": (Fault(status=200, body=b"[1, 2]"), BadResponse),
    "deep": (Fault(status=200, body=b"[" * 200_000), BadResponse),
    "no text": (Fault(status=200, body=b"\xff\xfe"), BadResponse),
    "too long": (Fault(status=200, body=b'{"data": [' + b" " * MAX_BYTES + b"]}"), BadResponse),
    "packed": (
        Fault(
            status=200,
            body=gzip.compress(b'{"data": [{"id": "m"}]}'),
            headers={"Content-Encoding": "gzip"},
        ),
        BadResponse,
    ),
}


@pytest.fixture
def boot(world: World, tmp_path: Path) -> Settings:
    """Return settings with every key."""
    return settings(tmp_path, **world.variables(LLM_BACKEND="deepseek"))


@pytest.fixture(autouse=True)
def _models(world: World) -> Iterator[None]:
    """Tell each vendor which models it knows, for one test."""
    world.keyed.models = LISTED
    world.ollama.models = LISTED
    yield
    world.keyed.models = {}
    world.ollama.models = {}


async def listed(
    boot: Settings, provider: str, lists: ModelLists | None = None, tag: str = "t"
) -> tuple[str, ...]:
    """Ask for the models as `Admin.models` does, without a database."""
    reference = listing_reference(snapshot(boot), ServingBackend(provider))
    return (await (lists or ModelLists()).of(reference, tag, None)).models


async def failure(boot: Settings, provider: str, lists: ModelLists | None = None) -> ModelCallError:
    """Return what is raised."""
    with pytest.raises(ModelCallError) as caught:
        await listed(boot, provider, lists)
    return caught.value


@every_provider
async def test_provider_lists_its_own_models(world: World, runtime: Runtime, provider: str) -> None:
    """By the names that calls take, in the vendor's order; active or not."""
    answer = await runtime.admin.models(provider)
    assert (answer.provider, answer.models) == (provider, tuple(LISTED[provider]))
    (request,) = world.server(provider).requests
    assert (request.method, request.raw) == ("GET", b"")
    assert request.headers["accept-encoding"] == "identity"


@every_provider
async def test_second_look_makes_no_request(world: World, runtime: Runtime, provider: str) -> None:
    """A list is kept for a minute."""
    first = await runtime.admin.models(provider)
    assert await runtime.admin.models(provider) == first
    assert len(world.server(provider).requests) == 1


async def test_list_is_asked_for_again_when_its_minute_is_over(
    world: World, boot: Settings
) -> None:
    """What is kept for no time is asked for each time."""
    lists = ModelLists(kept_for=0.0)
    await listed(boot, "openai", lists)
    await listed(boot, "openai", lists)
    assert len(world.keyed.requests) == 2


async def test_other_key_is_not_answered_from_memory(world: World, runtime: Runtime) -> None:
    """What one key may see, another may not."""
    await runtime.admin.models("openai")
    await runtime.admin.change(
        key_edits.set_key("openai", SecretStr("sk-other-0123456789")), actor="a"
    )
    with pytest.raises(AuthFailed):
        await runtime.admin.models("openai")
    assert len(world.keyed.requests) == 2


async def test_other_path_of_the_same_origin_is_not_answered_from_memory(
    world: World, runtime: Runtime
) -> None:
    """A gateway has a list for each path."""
    await runtime.admin.models("vllm")
    base_url = f"{world.keyed.url}/team-a/v1"
    await runtime.admin.switch(config_request("vllm", base_url=base_url), actor="a")
    await runtime.admin.models("vllm")
    paths = [request.path for request in world.keyed.requests]
    assert paths == ["/v1/models", "/team-a/v1/models"]


@every_provider
@pytest.mark.parametrize("name", FAILURES)
async def test_provider_that_cannot_list_is_told_by_its_code(
    world: World, boot: Settings, provider: str, name: str
) -> None:
    """The codes are those of calls, at all vendors: Gemini refuses a key with a 400."""
    fault, expected = FAILURES[name]
    world.server(provider).faults.set(fault)
    assert type(await failure(boot, provider)) is expected


@pytest.mark.parametrize("name", ["no such path", "page", "other JSON", "too long"])
async def test_problem_says_that_there_is_no_list(world: World, boot: Settings, name: str) -> None:
    """It names the address, and says nothing of a model or a completion that nobody asked for."""
    world.keyed.faults.set(FAILURES[name][0])
    detail = (await failure(boot, "openai")).detail
    assert f"openai doesn't list its models at {world.keyed.url}" in detail


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'[{"id": "a"}, {"id": "b"}]', ("a", "b")),
        (b'["a", "b"]', ("a", "b")),
        (b'{"data": [{"id": "a"}], "models": [{"name": "b"}]}', ("a",)),
        (b'{"models": [{"model": "a"}, {"name": "models/b"}]}', ("a", "b")),
        (b"[]", ()),
    ],
    ids=["Together's array", "names", "llama.cpp's two lists", "mixed rows", "an empty array"],
)
async def test_list_has_many_shapes(
    world: World, boot: Settings, body: bytes, names: tuple[str, ...]
) -> None:
    """Whoever speaks OpenAI's protocol lists models in a way of its own."""
    world.keyed.faults.set(Fault(status=200, body=body))
    assert await listed(boot, "openai") == names


def _pages(pages: dict[str, object]) -> ScriptedUpstream:
    """Answer each query with its page."""
    upstream: ScriptedUpstream

    def answer() -> list[bytes]:
        query = upstream.requests[-1].query
        body = json.dumps(next(page for mark, page in pages.items() if mark in str(query))).encode()
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]

    upstream = ScriptedUpstream(answer)
    return upstream


async def test_all_pages_of_anthropic_are_listed(tmp_path: Path, world: World) -> None:
    """The next page is the one after the last name."""
    pages: dict[str, object] = {
        "b&c": {"data": [{"id": "d"}], "has_more": False, "last_id": "d"},
        "limit": {"data": [{"id": "a"}, {"id": "b"}], "has_more": True, "last_id": "b&c"},
    }
    with _pages(pages) as upstream:
        boot = settings(
            tmp_path, **world.variables(**{variable("anthropic", "BASE_URL"): upstream.url})
        )
        assert await listed(boot, "anthropic") == ("a", "b", "d")
        assert len(upstream.requests) == 2


async def test_pages_without_end_are_ended(tmp_path: Path, world: World) -> None:
    """A server that always has more is asked for so many and no more."""
    page = {"models": [{"name": "a"}], "nextPageToken": "more"}
    with _pages({"": page}) as upstream:
        boot = settings(
            tmp_path, **world.variables(**{variable("openai", "BASE_URL"): upstream.url})
        )
        assert await listed(boot, "openai") == ("a",)
        assert len(upstream.requests) == MAX_PAGES


async def test_failure_is_not_kept(world: World, boot: Settings) -> None:
    """Once the vendor is back, so is its list."""
    lists = ModelLists()
    with world.keyed.faults.held(Fault(refusal=Refusal.OVERLOADED)):
        await failure(boot, "openai", lists)
    assert await listed(boot, "openai", lists) == tuple(LISTED["openai"])


async def test_refused_connection_is_unreachable(tmp_path: Path, world: World) -> None:
    """Nobody listens at the address."""
    nobody = {variable("openai", "BASE_URL"): f"http://127.0.0.1:{refused_port()}"}
    boot = settings(tmp_path, **world.variables(**nobody))
    assert type(await failure(boot, "openai")) is ProviderUnreachable


async def test_untrusted_certificate_is_a_tls_error(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list comes over verified TLS or not at all."""
    monkeypatch.delenv("SSL_CERT_FILE")
    secured = {variable("openai", "BASE_URL"): world.keyed.tls_url}
    boot = settings(tmp_path, **world.variables(**secured))
    assert type(await failure(boot, "openai")) is TlsError
    assert world.keyed.requests == []


async def test_silent_provider_is_a_timeout(world: World, boot: Settings) -> None:
    """The detail says how long was waited, which is not LLM_TIMEOUT."""
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    error = await failure(boot, "openai", ModelLists(seconds=0.3))
    gate.set()
    assert type(error) is ProviderTimeout
    assert "0.3 s" in error.detail
    assert "LLM_TIMEOUT" not in error.detail


async def test_provider_that_drips_is_a_timeout(tmp_path: Path, world: World) -> None:
    """A byte now and then doesn't keep a look-up alive."""
    with _Drip() as drip:
        slow = {variable("openai", "BASE_URL"): f"http://127.0.0.1:{drip.port}"}
        boot = settings(tmp_path, **world.variables(**slow))
        error = await failure(boot, "openai", ModelLists(seconds=0.3))
    assert type(error) is ProviderTimeout


async def test_list_and_names_are_cut(world: World, boot: Settings) -> None:
    """A vendor that lists too much doesn't fill an answer."""
    names = [f"{number}-{'x' * 300}" for number in range(MAX_MODELS + 5)]
    body = json.dumps({"data": [{"id": name} for name in names]}).encode()
    world.keyed.faults.set(Fault(status=200, body=body))
    answer = await listed(boot, "openai")
    assert len(answer) == MAX_MODELS
    assert {len(name) for name in answer} == {MAX_NAME}


async def test_model_that_is_listed_twice_is_named_once(world: World, boot: Settings) -> None:
    """Gateways repeat names, one for each of their backends."""
    body = b'{"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}'
    world.keyed.faults.set(Fault(status=200, body=body))
    assert await listed(boot, "openai") == ("a", "b")


@pytest.mark.parametrize("body", [b'{"data": []}', b'{"data": null}', b'{"models": []}'])
async def test_provider_without_models_lists_none(
    world: World, boot: Settings, body: bytes
) -> None:
    """An empty list is an answer, however it is written."""
    world.keyed.faults.set(Fault(status=200, body=body))
    assert await listed(boot, "openai") == ()


@every_provider
async def test_failure_holds_neither_key_nor_the_upstreams_words(
    world: World, boot: Settings, provider: str
) -> None:
    """The error is ours: no body, no cause, no context."""
    key = KEYS.get(provider, "not-needed")
    body = f'{{"error": "{MARK} {key}"}}'.encode()
    world.server(provider).faults.set(Fault(status=400, body=body, headers={"X-Key": key}))
    error = await failure(boot, provider)
    assert (error.__cause__, error.__context__) == (None, None)
    assert found([key, MARK], {"error": f"{error} {error!r} {vars(error)}".encode()}) == []


async def test_redirect_is_not_followed(world: World, boot: Settings) -> None:
    """Nobody else is sent the key, not even at the same origin."""
    world.keyed.faults.set(Fault(redirect=f"{world.keyed.url}/elsewhere"))
    await failure(boot, "anthropic")
    assert [request.path for request in world.keyed.requests] == ["/v1/models"]


async def test_missing_key_is_said_before_anything_is_sent(tmp_path: Path, world: World) -> None:
    """The problem names the variable."""
    boot = settings(tmp_path, **world.variables(LLM_DEEPSEEK_API_KEY=""))
    with pytest.raises(ProviderNotReady, match="LLM_DEEPSEEK_API_KEY"):
        await listed(boot, "deepseek")
    assert world.keyed.requests == []


async def test_missing_model_is_no_hindrance(tmp_path: Path, world: World) -> None:
    """The list is where one finds a model to configure."""
    boot = settings(tmp_path, **world.variables(LLM_DEEPSEEK_MODEL=""))
    with pytest.raises(NoModelConfigured):
        model_reference(snapshot(boot), ServingBackend.DEEPSEEK, "specialist")
    assert await listed(boot, "deepseek") == tuple(LISTED["deepseek"])


async def test_unknown_provider_is_not_asked(runtime: Runtime) -> None:
    """There is no such row."""
    with pytest.raises(UnknownProvider):
        await runtime.admin.models("nobody")


class _Drip(LoopbackServer):
    """Begins an answer and sends a byte now and then, for ever."""

    port = 0

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)
