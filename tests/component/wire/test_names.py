"""A model's name is data: whatever it says, the call goes where its provider answers.

Names made of every provider word that litellm knows, and every third of its bundled table (in a
soak all), are translated for all six providers; some of them (in a soak all) in each kind of call,
through BeeAI's adapter; a sample is sent to real servers.
"""

import json
import logging
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pytest
from beeai_framework.backend.errors import ChatModelError
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelInput
from beeai_framework.tools import StringToolOutput, tool
from pydantic import BaseModel, SecretStr

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asking.request import ModelRequest, Transmission
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.charges import Ask, Size
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.libraries import adapter
from tests.component.wire.conftest import Wire
from tests.component.wire.table import EVERY
from tests.component.wire.translated import translated
from tests.world.canaries import SOAK

KEY: Final = "key-0123456789abcdef"
ORIGIN: Final = "http://127.0.0.1:9"
RESPONSES: Final = f"{ORIGIN}/v1/responses"
FAMILY: Final = {
    "ollama": f"{ORIGIN}/v1/chat/completions",
    "vllm": f"{ORIGIN}/v1/chat/completions",
    "openai": f"{ORIGIN}/v1/chat/completions",
    "deepseek": f"{ORIGIN}/v1/chat/completions",
    "anthropic": f"{ORIGIN}/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/",
}
SAMPLE: Final = (
    "x-replicate-y",
    "meta/llama-2-70b-chat:replicate",
    "replicate/meta/llama-3",
    "huggingface/mistral",
    "bedrock/anthropic.claude-v2",
    "claude-2",
    "claude-instant-1",
    "responses/gpt-4o",
    "vertex_ai/gemini-pro",
    "ollama_chat/llama3",
    "azure/gpt-5",
    "../../v1/models?x=1#y",
)


class Verdict(BaseModel):
    """A structured answer."""

    severity: str


@tool
def lookup(address: str) -> StringToolOutput:
    """Look an address up."""
    return StringToolOutput(f"{address} is known")


KINDS: Final[dict[str, dict[str, Any]]] = {
    "whole": {},
    "stream": {"stream": True},
    "tools": {"tools": [lookup], "tool_choice": lookup},
    "structured": {"response_format": Verdict},
}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Leave out what litellm says of thousands of models."""
    caplog.set_level(logging.CRITICAL, "LiteLLM")


@cache
def _table() -> dict[str, dict[str, Any]]:
    path = files("litellm").joinpath("model_prices_and_context_window_backup.json")
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return rows


@cache
def _made() -> list[str]:
    from litellm.types.utils import LlmProviders  # noqa: PLC0415 - behind the guard, by now

    words = sorted(str(provider.value) for provider in LlmProviders)
    return [*SAMPLE, *(f"x-{word}-y" for word in words), *(f"{word}/m" for word in words)]


def _reference(provider: str, name: str, base_url: str = f"{ORIGIN}/v1") -> ModelReference:
    spec = CATALOG[ServingBackend(provider)]
    base = None if provider == "gemini" else base_url.removesuffix(spec.adapter_root)
    limits = CallLimits(timeout=5.0, max_retries=0, max_concurrency=None)
    key = SecretStr(KEY)
    kind = spec.provider
    return ModelReference(kind.value, kind, spec.prefix, name, base, base or "", key, limits)


def _model(reference: ModelReference) -> Any:  # noqa: ANN401 - BeeAI's, mixed with ours
    return adapter.build(CallSite(reference, translate, TrafficLedger()))


def _plain(provider: str, name: str) -> Transmission:
    messages = [{"role": "user", "content": "ping"}]
    reference = _reference(provider, name)
    request = ModelRequest(reference, messages, {"temperature": 0, "max_tokens": 9}, stream=False)
    return translated(request).transmission


def _adapted(provider: str, name: str, kind: str) -> Transmission:
    asked = ChatModelInput(messages=[UserMessage("ping")], temperature=0, **KINDS[kind])
    unlimited = Ask(lambda _refused: Size(0, None, fixed=False))
    request = _model(_reference(provider, name))._request(
        asked, frozenset(), unlimited, stream=kind == "stream"
    )
    return translated(request).transmission


def _strays(provider: str, name: str, sent: Transmission) -> bool:
    """Whether a request goes elsewhere than its provider's row says, or names another model."""
    row = _table().get(name, {})
    on_responses = row.get("litellm_provider") == "openai" and row.get("mode") == "responses"
    expected = RESPONSES if provider == "openai" and on_responses else FAMILY[provider]
    there = sent.url.startswith(expected) if provider == "gemini" else sent.url == expected
    named = json.loads(sent.body).get("model", name) == name
    return not (there and named and sent.url.count("/") == expected.count("/"))


@pytest.mark.soak
@pytest.mark.parametrize("provider", EVERY)
def test_no_name_leads_elsewhere(libraries: None, provider: str) -> None:
    """One host, one path family, and the name as it was written."""
    del libraries
    names = [*list(_table())[:: 1 if SOAK else 3], *_made()]
    assert [n for n in names if _strays(provider, n, _plain(provider, n))] == []


def _fields(provider: str, name: str, *, stream: bool) -> set[str]:
    """Return the fields of a request that asks nothing beside its message."""
    messages = [{"role": "user", "content": "ping"}]
    request = ModelRequest(_reference(provider, name), messages, {}, stream=stream)
    body = json.loads(translated(request).transmission.body)
    return {*body, *body.pop("generationConfig", {})}


@pytest.mark.parametrize("provider", EVERY)
def test_no_name_adds_to_what_is_asked(libraries: None, provider: str) -> None:
    """An option that nobody set is not sent; LiteLLM sets a temperature for most Gemini models."""
    del libraries
    needed = {"messages", "contents", "input", "model"}
    needed |= {"max_tokens"} if provider == "anthropic" else set()
    streamed = needed | {"stream", "stream_options"}
    of_vendor = [n for n, row in _table().items() if row.get("litellm_provider") == provider]
    names = [*_made(), *of_vendor, *(name.removeprefix(f"{provider}/") for name in of_vendor)]
    assert [n for n in names if not _fields(provider, n, stream=False) <= needed] == []
    assert [n for n in names if not _fields(provider, n, stream=True) <= streamed] == []


@pytest.mark.parametrize("name", ["gemini-2.5-pro", "gemini-3-pro-preview", "gemini-flash-latest"])
def test_no_name_rewrites_a_schema(libraries: None, name: str) -> None:
    """LiteLLM would make an object of a `const`, and drop a property that is called `strict`."""
    del libraries
    schema = {"type": "object", "properties": {"strict": {"const": "x"}}, "required": ["strict"]}
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    messages = [{"role": "user", "content": "ping"}]
    request = ModelRequest(
        _reference("gemini", name), messages, {"response_format": form}, stream=False
    )
    settings = json.loads(translated(request).transmission.body)["generationConfig"]
    assert settings == {"response_mime_type": "application/json", "response_json_schema": schema}


@pytest.mark.soak
@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize("kind", KINDS)
def test_no_name_leads_elsewhere_in_any_kind_of_call(
    libraries: None, provider: str, kind: str
) -> None:
    """Streamed, with tools, with a schema: nothing of that changes the way."""
    del libraries
    sample = [*_made()[:: 1 if kind == "tools" else 3], *list(_table())[::60]]
    names = [*_table(), *_made()] if SOAK else sample
    assert [n for n in names if _strays(provider, n, _adapted(provider, n, kind))] == []


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize("kind", KINDS)
async def test_sample_arrives_at_its_provider_alone(wire: Wire, provider: str, kind: str) -> None:
    """Over the very servers that the table of requests is checked against."""
    server = wire.server(provider)
    base = f"{server.url}/v1"
    for name in SAMPLE:
        with pytest.raises(ChatModelError):  # no vendor knows such a model, or this key
            await _model(_reference(provider, name, base)).run([UserMessage("ping")], **KINDS[kind])
    assert wire.requests == server.requests
    assert len(server.requests) == len(SAMPLE)
    ending = {"anthropic": "/v1/messages", "gemini": "Content"}.get(
        provider, "/v1/chat/completions"
    )
    assert all(request.path.endswith(ending) for request in server.requests)
    assert len({request.host for request in server.requests}) == 1
