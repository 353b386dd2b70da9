"""Investigations on models with a small context window: fitted, refused, or cut, never silently."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Literal

import pytest
from beeai_framework.backend.message import SystemMessage, UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.errors import ContextTooLong, ContextTruncated, ModelCallError
from aurorasoc.llm.models.windows import window_of
from aurorasoc.llm.wire.windows import known as windows
from aurorasoc.llm.wire.windows.known import ContextWindow, known_window
from aurorasoc.local_model import CONTEXT, MODEL_NAME
from aurorasoc.runtime import Runtime
from tests.component.workflows.investigation.test_runner import ADMIN, Site
from tests.examples import config_request
from tests.world.investigation import Script
from tests.world.local_model import local_model_url
from tests.world.small_window import SmallWindow

__all__ = ["local_model_url"]  # pytest finds it here

HASHES: Final = [hashlib.sha256(bytes([number])).hexdigest() for number in range(100)]
ALERT: Final = {"title": "Many files changed", "hashes": HASHES}
LONG: Final[list[Any]] = [SystemMessage("Be brief."), UserMessage(" ".join(HASHES))]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    windows._kept.clear()
    yield
    windows._kept.clear()


@pytest.fixture
async def site(runtime: Runtime) -> AsyncIterator[Site]:
    """Yield a runtime and a runner."""
    opened = Site(runtime, Script())
    yield opened
    await opened.runner.close()


async def point(runtime: Runtime, server: SmallWindow, kind: str | None = None) -> None:
    """Switch to a server, as an admin does."""
    kind = kind or server.kind
    url = server.url if kind == "ollama" else f"{server.url}/v1"
    await switch(runtime, kind, "m", url)


async def switch(runtime: Runtime, kind: str, model: str, url: str) -> None:
    """Switch to a model at an address, with a key for it."""
    key = {} if kind == "ollama" else {"api_key": SecretStr("any-key-will-do-1234")}
    requested = config_request(kind, model=model, orchestrator_model=model, base_url=url, **key)
    await runtime.admin.switch(requested, actor="test")


@pytest.mark.parametrize("kind", ["ollama", "vllm"])
@pytest.mark.parametrize("says_window", [True, False], ids=["named", "not named"])
async def test_an_alert_of_hashes_is_investigated_whole_prompts_only(
    site: Site,
    kind: Literal["ollama", "vllm"],
    says_window: bool,  # noqa: FBT001 - pytest's
) -> None:
    """With 4,096 tokens: fitted at once, or after the server's first refusal or cut."""
    with SmallWindow(kind, 4096, site.script, says_window=says_window) as server:
        await point(site.runtime, server)
        result = await site.over(await site.open(alert=ALERT))
        if kind == "ollama" and not says_window:
            assert result["failure"]["code"] == "context_truncated"
            return
        assert result["status"] == "completed"
        for question in site.script.asked:
            assert question.prompt.count("</") > 2  # the rule before and behind, and the fence
        assert result["report"]["evidence_left_out"] > 0
        first = result["steps"][0]
        assert first["result"]["evidence_left_out"] > 0
        refused = 0 if says_window else 1
        assert len(server.calls) == len(site.script.asked) + refused


@pytest.mark.parametrize("kind", ["ollama", "vllm"])
async def test_a_small_alert_asks_no_server_for_its_window(
    site: Site, kind: Literal["ollama", "vllm"]
) -> None:
    """It fits the smallest window of all: nothing but the calls is sent, and none is refused."""
    with SmallWindow(kind, 4096, site.script) as server:
        await point(site.runtime, server)
        result = await site.over(await site.open(alert={"title": "Ten failed logins"}))
        assert result["status"] == "completed"
        assert result["report"]["evidence_left_out"] == 0
        assert server.calls == server.requests
        assert len(server.calls) == len(site.script.asked)


async def test_a_window_without_room_fails_before_anything_is_sent(site: Site) -> None:
    """The investigation says what the model holds."""
    with SmallWindow("vllm", 1024, site.script) as server:
        await point(site.runtime, server)
        result = await site.over(await site.open(alert=ALERT))
        assert result["failure"]["code"] == "context_too_long"
        assert "holds 1024 tokens" in result["failure"]["detail"]
        assert server.calls == []


async def test_what_was_left_out_survives_a_resume(site: Site) -> None:
    """A finished step isn't asked again; the report still says what it didn't see."""
    with SmallWindow("vllm", 4096, site.script) as server:
        await point(site.runtime, server)
        site.script.concluded, good = {}, site.script.concluded
        id_ = await site.open(alert=ALERT)
        assert (await site.over(id_))["status"] == "failed"
        site.script.concluded = good
        server.window = 200_000
        windows._kept.clear()
        await site.runner.resume(id_, ADMIN)
        result = await site.over(id_)
        assert (
            result["report"]["evidence_left_out"]
            == result["steps"][0]["result"]["evidence_left_out"]
        )


@pytest.mark.parametrize("provider", ["ollama", "vllm", "openai"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_cut_prompt_is_an_error_behind_any_provider(
    runtime: Runtime,
    provider: str,
    stream: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Chats as well: the answer is to what was left of the prompt."""
    with SmallWindow("ollama", 4096) as server:
        await point(runtime, server, provider)
        with pytest.raises(ContextTruncated):
            await get_chat_model().run(LONG, stream=stream)
        assert len(server.calls) == 1  # it isn't retried


async def test_a_refusal_teaches_the_window(runtime: Runtime) -> None:
    """What the text names is kept for the next prompt."""
    with SmallWindow("vllm", 4096, says_window=False) as server:
        await point(runtime, server)
        with pytest.raises(ContextTooLong) as caught:
            await get_chat_model().run(LONG)
        assert caught.value.context_window == 4096
        window = known_window(get_chat_model().binding.reference)
        assert window == ContextWindow(4096, "refusal")


async def test_a_chat_never_waits_for_a_look_up(runtime: Runtime) -> None:
    """The call alone is sent."""
    with SmallWindow("ollama", 4096) as server:
        await point(runtime, server)
        await get_chat_model().run([UserMessage("ping")])
        assert [one.path for one in server.requests] == ["/v1/chat/completions"]


async def test_the_table_knows_a_vendors_models(runtime: Runtime) -> None:
    """At the vendor's own address nobody is asked."""
    requested = config_request("gemini", model="gemini-2.5-pro")
    await runtime.admin.switch(requested, actor="test")
    window = await window_of(get_chat_model().binding)
    assert window is not None
    assert window.source == "table"
    assert window.tokens > 1_000_000


async def test_a_window_is_learnt_once(runtime: Runtime) -> None:
    """Then it comes from memory."""
    with SmallWindow("ollama", 4096) as server:
        await point(runtime, server)
        for _ in range(2):
            assert await window_of(get_chat_model().binding) == ContextWindow(4096, "server")
        assert [one.path for one in server.requests] == ["/api/ps"]


async def test_a_real_llama_cpp_refuses_and_names_its_window(
    runtime: Runtime, local_model_url: str
) -> None:
    """Its own words are understood."""
    await switch(runtime, "vllm", MODEL_NAME, f"{local_model_url}/v1")
    with pytest.raises(ModelCallError) as caught:
        await get_chat_model().run([UserMessage(" ".join(HASHES * 2))])
    assert (caught.value.code, getattr(caught.value, "context_window", None)) == (
        "context_too_long",
        CONTEXT,
    )
