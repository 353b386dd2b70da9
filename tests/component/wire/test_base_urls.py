"""The golden table: a base URL as someone writes it, and the URL that is called then."""

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.settings import load_settings
from aurorasoc.errors import ConfigurationError, ModelCallError
from aurorasoc.runtime import Runtime
from tests.component.live import handle_on, use, variable
from tests.component.wire.conftest import Wire
from tests.component.wire.table import NOT_NEEDED, TABLE
from tests.world.service import CONFIG, PROVIDERS, asked


class Golden(NamedTuple):
    """What is written behind the origin, and the paths of a call and of the list of models."""

    provider: str
    written: str
    called: str
    listed: str


ADDRESS: Final = "/system/llm/address"
_CHAT: Final = "/chat/completions"
GOLDEN: Final = (
    Golden("ollama", "", f"/v1{_CHAT}", "/api/tags"),
    Golden("ollama", "/", f"/v1{_CHAT}", "/api/tags"),
    Golden("ollama", "/v1", f"/v1{_CHAT}", "/api/tags"),
    Golden("ollama", "/v1/", f"/v1{_CHAT}", "/api/tags"),
    Golden("ollama", "/v1/v1", f"/v1{_CHAT}", "/api/tags"),
    Golden("ollama", "/inner", f"/inner/v1{_CHAT}", "/inner/api/tags"),
    Golden("ollama", "/inner/v1/", f"/inner/v1{_CHAT}", "/inner/api/tags"),
    Golden("ollama", "/inner/api/chat", f"/inner/v1{_CHAT}", "/inner/api/tags"),
    Golden("vllm", "", f"/v1{_CHAT}", "/v1/models"),
    Golden("vllm", "/", f"/v1{_CHAT}", "/v1/models"),
    Golden("vllm", "/v1", f"/v1{_CHAT}", "/v1/models"),
    Golden("vllm", "/v1/", f"/v1{_CHAT}", "/v1/models"),
    Golden("vllm", "//v1//", f"/v1{_CHAT}", "/v1/models"),
    Golden("vllm", "/team-a/v1", f"/team-a/v1{_CHAT}", "/team-a/v1/models"),
    Golden("vllm", "/team-a/", f"/team-a{_CHAT}", "/team-a/models"),
    Golden("openai", "", f"/v1{_CHAT}", "/v1/models"),
    Golden("openai", "/", f"/v1{_CHAT}", "/v1/models"),
    Golden("openai", "/v1", f"/v1{_CHAT}", "/v1/models"),
    Golden("openai", "/v1/", f"/v1{_CHAT}", "/v1/models"),
    Golden("openai", "/openai/v1", f"/openai/v1{_CHAT}", "/openai/v1/models"),
    Golden("openai", "/openai/v1/", f"/openai/v1{_CHAT}", "/openai/v1/models"),
    Golden("openai", f"/v1{_CHAT}", f"/v1{_CHAT}", "/v1/models"),
    Golden("openai", "/api/v1/models", f"/api/v1{_CHAT}", "/api/v1/models"),
    Golden("openai", "/api/paas/v4", f"/api/paas/v4{_CHAT}", "/api/paas/v4/models"),
    Golden("deepseek", "", _CHAT, "/models"),
    Golden("deepseek", "/", _CHAT, "/models"),
    Golden("deepseek", "/v1", f"/v1{_CHAT}", "/v1/models"),
    Golden("deepseek", "/v1/", f"/v1{_CHAT}", "/v1/models"),
    Golden("deepseek", "/beta", f"/beta{_CHAT}", "/beta/models"),
    Golden("deepseek", _CHAT, _CHAT, "/models"),
    Golden("anthropic", "/v1/messages/", "/v1/messages", "/v1/models"),
    Golden("anthropic", "", "/v1/messages", "/v1/models"),
    Golden("anthropic", "/", "/v1/messages", "/v1/models"),
    Golden("anthropic", "/v1", "/v1/messages", "/v1/models"),
    Golden("anthropic", "/v1/", "/v1/messages", "/v1/models"),
    Golden("anthropic", "/v1/v1/", "/v1/messages", "/v1/models"),
    Golden("anthropic", "/anthropic", "/anthropic/v1/messages", "/anthropic/v1/models"),
    Golden("anthropic", "/anthropic/v1/", "/anthropic/v1/messages", "/anthropic/v1/models"),
)
every_row = pytest.mark.parametrize(
    "golden", GOLDEN, ids=[f"{row.provider} {row.written or 'bare'}" for row in GOLDEN]
)


def _called(wire: Wire, golden: Golden) -> list[str]:
    """Return the URLs that were called, below the provider's origin; nothing else may be."""
    server = wire.server(golden.provider)
    assert wire.requests == server.requests
    assert all(server.url == f"http://{request.host}" for request in server.requests)
    return [request.path for request in server.requests]


@every_row
async def test_base_url_of_an_admin_leads_where_the_table_says(
    wire: Wire, api: httpx.AsyncClient, golden: Golden
) -> None:
    """PUT /config, then a chat, then the list of models: one URL each. The page shows it before."""
    key, url = TABLE[golden.provider].key, f"{wire.server(golden.provider).url}{golden.written}"
    body = {"provider": golden.provider, "base_url": url}
    switched = await api.put(CONFIG, json=body if key == NOT_NEEDED else body | {"api_key": key})
    assert switched.status_code == 200, switched.text
    shown = await api.post(ADDRESS, json={"provider": golden.provider, "base_url": url})
    assert shown.json()["calls_to"] == f"{wire.server(golden.provider).url}{golden.called}"
    await api.post("/chat", json=asked())
    await api.get(f"{PROVIDERS}/{golden.provider}/models")
    assert _called(wire, golden) == [golden.called, golden.listed]


@every_row
async def test_base_url_of_the_environment_leads_there_too(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden
) -> None:
    """`LLM_…_BASE_URL` is read as an admin's input is."""
    url = f"{wire.server(golden.provider).url}{golden.written}"
    monkeypatch.setenv(variable(golden.provider, "BASE_URL"), url)
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    handle = handle_on(load_settings(), golden.provider)
    with suppress(ModelCallError):  # where the vendor has no such path
        await handle.run([UserMessage("ping")])
    assert _called(wire, golden) == [golden.called]


async def test_every_provider_that_takes_a_base_url_is_in_the_table(
    api: httpx.AsyncClient,
) -> None:
    """A new provider is told here where it calls, or that it takes no base URL."""
    rows = (await api.get(PROVIDERS)).json()["providers"]
    taking = {row["provider"] for row in rows if row["base_url_support"] != "none"}
    assert {golden.provider for golden in GOLDEN} == taking


async def test_gemini_is_refused_a_base_url(wire: Wire, api: httpx.AsyncClient) -> None:
    """A 422 says to leave it blank, and nothing is sent."""
    url = wire.hosted.url
    answer = await api.put(CONFIG, json={"provider": "gemini", "base_url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert "blank" in answer.json()["detail"]
    assert wire.requests == []


async def test_gemini_is_refused_a_base_url_of_the_environment(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The boot stops with one sentence that names the variable."""
    monkeypatch.setenv("LLM_GEMINI_BASE_URL", wire.hosted.url)
    with pytest.raises(ConfigurationError, match="LLM_GEMINI_BASE_URL"):
        load_settings()


async def test_gemini_is_called_at_its_own_address_whatever_others_have(
    wire: Wire, runtime: Runtime
) -> None:
    """The vendor's name is asked for, and no base URL is handed on."""
    await use("gemini", runtime)
    await get_chat_model().run([UserMessage("ping")])
    assert get_chat_model().binding.reference.base_url is None
    assert [request.host for request in wire.requests] == [TABLE["gemini"].host]
