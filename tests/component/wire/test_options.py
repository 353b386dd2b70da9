"""A connection's options on the wire: where each vendor reads them, and what wins."""

import threading
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel

from aurorasoc import get_chat_model
from aurorasoc.config.call_options import CallOptions
from aurorasoc.config.settings import load_settings
from aurorasoc.errors import ModelCallError, ProviderTimeout
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import listing_reference, model_reference
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.local_probe import local_probe, probe_headers
from aurorasoc.llm.models.model_lists import ModelLists
from aurorasoc.llm.models.test_call import make_test_call
from aurorasoc.llm.wire.answers.outcome import Outcome, outcome_of
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.windows.known import ContextWindow, forget_window, keep_window
from aurorasoc.llm.wire.windows.lookup import ask_server
from aurorasoc.runtime import Runtime
from tests.component.live import handle_on, use
from tests.component.wire.conftest import Wire
from tests.component.wire.table import EVERY, TABLE, Place, at
from tests.examples import snapshot
from tests.world.picky import PickyServer, refuses
from tests.world.vendor import Exchange, Fault

PING: Final[list[Any]] = [UserMessage("ping")]
OWN: Final = {"x-team": "Tier 2", "openai-organization": "org-1"}

EFFORT: Final[dict[str, tuple[str, Place, Any]]] = {
    "ollama": ("granite4:8b", ("reasoning_effort",), "low"),
    "vllm": ("granite-soc-specialist", ("reasoning_effort",), "low"),
    "openai": ("gpt-5", ("reasoning_effort",), "low"),
    "openai-responses": ("gpt-5-pro", ("reasoning", "effort"), "low"),
    "deepseek": ("deepseek-v4-flash", ("reasoning_effort",), "low"),
    "gemini": ("gemini-2.5-pro", ("generationConfig", "thinkingConfig", "thinkingBudget"), 1024),
    "anthropic": ("claude-sonnet-4-6", ("output_config", "effort"), "low"),
}
"""The model, where the vendor reads an effort, and how it says `low`."""

JSON_MODE: Final[dict[str, tuple[Place, Any]]] = {
    **dict.fromkeys(
        ("ollama", "vllm", "openai", "deepseek"), (("response_format",), {"type": "json_object"})
    ),
    "gemini": (("generationConfig", "response_mime_type"), "application/json"),
}
"""Where a vendor reads that any JSON is to be answered; Anthropic has no such mode."""


class Verdict(BaseModel):
    """A structured answer."""

    severity: str


STRUCTURED: Final[dict[str, Any]] = {
    "response_format": Verdict,
    "validate_response_format": False,  # the vendor answers plain text to a prompt alone
}
every_provider = pytest.mark.parametrize("provider", EVERY)


@pytest.fixture(autouse=True)
def _state(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del wire
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))


def handle(provider: str, model: str | None = None, **options: Any) -> LiveChatModel:
    """Return a handle on a connection with these options."""
    choice = ConnectionChoice(model=model, options=CallOptions(**options))
    return handle_on(load_settings(), provider, choice=choice)


def reference(provider: str, **options: Any) -> ModelReference:
    """Return the reference of a connection with these options."""
    choice = ConnectionChoice(options=CallOptions(**options))
    stored = StoredConfig(providers={provider: choice})
    return model_reference(snapshot(load_settings(), stored), provider, "specialist")


async def request_of(wire: Wire, model: LiveChatModel, **said: Any) -> Exchange:
    """Call a model and return the one request that this made."""
    await model.run(PING, **said)
    (request,) = wire.requests
    return request


async def outcome(model: LiveChatModel, **said: Any) -> Outcome:
    """Call a model and return what is known of the call."""
    return outcome_of(await model.run(PING, **said))


def schema_place(provider: str) -> Place:
    """Return where a body holds a schema, if it is sent as one."""
    return TABLE[provider].schema or ("response_format", "json_schema", "schema")


def holds(body: dict[str, Any], place: Place) -> bool:
    """Return whether a body says something at a place."""
    try:
        at(body, place)
    except (KeyError, IndexError, TypeError):
        return False
    return True


async def test_options_that_an_admin_sets_are_in_the_next_call(
    wire: Wire, runtime: Runtime
) -> None:
    """And gone when they are taken away."""
    await use("vllm", runtime)
    for options in ({"temperature": 0.25, "headers": OWN}, None):
        body = {"provider": "vllm", "options": options}
        requested = ConnectionRequest.model_validate(body)
        await runtime.admin.put_connection("vllm", requested, actor="test")
        await get_chat_model().run(PING)
    first, second = wire.requests
    assert (first.body["temperature"], first.headers["x-team"]) == (0.25, "Tier 2")
    assert "temperature" not in second.body
    assert "x-team" not in second.headers


@every_provider
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_temperature_is_sent(
    wire: Wire,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Where the vendor reads it."""
    request = await request_of(wire, handle(provider, temperature=0.25), stream=stream)
    place = ("generationConfig", "temperature") if provider == "gemini" else ("temperature",)
    assert at(request.body, place) == 0.25


@every_provider
async def test_bound_on_the_answer_is_sent(wire: Wire, provider: str) -> None:
    """Where the vendor reads it, instead of the provider's own default."""
    request = await request_of(wire, handle(provider, max_output_tokens=1234))
    assert at(request.body, TABLE[provider].tokens) == 1234


@pytest.mark.parametrize("row", EFFORT)
async def test_effort_is_sent_in_the_vendors_form(wire: Wire, row: str) -> None:
    """OpenAI's word, Anthropic's effort, Gemini's budget."""
    provider, (model, place, value) = row.removesuffix("-responses"), EFFORT[row]
    known = wire.server(provider).models[provider]
    added = [model] if model not in known else []
    known.extend(added)
    try:
        model_handle = handle(provider, model, reasoning_effort="low")
        result = await outcome(model_handle)
    finally:
        for name in added:
            known.remove(name)
    (request,) = wire.requests
    assert at(request.body, place) == value
    assert Refusable.REASONING_EFFORT in result.sent
    assert result.left_out == frozenset()


@pytest.mark.parametrize(
    ("provider", "effort"),
    [("openai", "low"), ("gemini", "max"), ("anthropic", "xhigh"), ("anthropic", "none")],
)
async def test_effort_that_a_model_does_not_have_is_left_out_and_named(
    wire: Wire, provider: str, effort: str
) -> None:
    """`gpt-4o` thinks in no way; nothing is sent that would be refused."""
    result = await outcome(handle(provider, reasoning_effort=effort))
    (request,) = wire.requests
    assert b"effort" not in request.raw
    assert b"thinking" not in request.raw
    assert result.left_out == {Refusable.REASONING_EFFORT}


async def test_effort_is_left_out_where_the_answer_has_no_room_for_thoughts(wire: Wire) -> None:
    """Anthropic refuses a budget that is no less than the whole answer."""
    known = wire.hosted.models["anthropic"]
    known.append("claude-haiku-4-5")
    try:
        model = handle("anthropic", "claude-haiku-4-5", reasoning_effort="high")
        result = await outcome(model, max_tokens=16)
        assert result.left_out == {Refusable.REASONING_EFFORT}
        result = await outcome(model, max_tokens=8192)
        assert Refusable.REASONING_EFFORT in result.sent
    finally:
        known.remove("claude-haiku-4-5")


async def test_temperature_is_left_out_beside_thoughts_at_anthropic(wire: Wire) -> None:
    """The vendor refuses both together; the outcome names it."""
    result = await outcome(handle("anthropic", reasoning_effort="low", temperature=0.2))
    (request,) = wire.requests
    assert b"temperature" not in request.raw
    assert result.left_out == {Refusable.TEMPERATURE}


@every_provider
async def test_what_a_caller_says_wins(wire: Wire, provider: str) -> None:
    """A 0 is said, too."""
    model = handle(provider, temperature=0.5, max_output_tokens=1000)
    request = await request_of(wire, model, temperature=0, max_tokens=77)
    place = ("generationConfig", "temperature") if provider == "gemini" else ("temperature",)
    assert at(request.body, place) == 0
    assert at(request.body, TABLE[provider].tokens) == 77


@every_provider
async def test_options_that_are_not_set_are_not_sent(wire: Wire, provider: str) -> None:
    """A request is the same with and without a connection's empty options."""
    first = await request_of(wire, handle_on(load_settings(), provider))
    wire.clear()
    second = await request_of(wire, handle(provider, structured_output="auto"))
    assert (first.raw, first.headers) == (second.raw, second.headers)


@every_provider
async def test_structured_output_begins_at_the_schema(wire: Wire, provider: str) -> None:
    """Even where the provider is known not to take one."""
    model = handle(provider, structured_output="json_schema")
    await model.run(PING, **STRUCTURED)
    assert holds(wire.requests[0].body, schema_place(provider))


@every_provider
async def test_structured_output_begins_at_json(wire: Wire, provider: str) -> None:
    """With the schema in the prompt."""
    model = handle(provider, structured_output="json_object")
    request = await request_of(wire, model, **STRUCTURED)
    assert not holds(request.body, schema_place(provider))
    assert b"fits this JSON schema" in request.raw
    if provider in JSON_MODE:
        place, value = JSON_MODE[provider]
        assert at(request.body, place) == value


@every_provider
async def test_structured_output_is_asked_for_in_the_prompt_alone(
    wire: Wire, provider: str
) -> None:
    """No mode of any kind is asked for."""
    model = handle(provider, structured_output="prompt")
    request = await request_of(wire, model, **STRUCTURED)
    assert b"fits this JSON schema" in request.raw
    for word in (b"response_format", b"response_mime_type", b"output_format", b"json_object"):
        assert word not in request.raw


@every_provider
async def test_headers_travel_with_calls_lists_windows_and_tests(wire: Wire, provider: str) -> None:
    """Everything that goes to the connection has them, and the vendor's own are as before."""
    model, row = handle(provider, headers=OWN), TABLE[provider]
    await model.run(PING)
    await make_test_call(model.binding)
    await ModelLists().of(reference(provider, headers=OWN), "", None)
    await ask_server(reference(provider, headers=OWN), None)
    assert len(wire.requests) >= 4
    for request in wire.requests:
        assert OWN.items() <= request.headers.items()
        assert row.fixed.items() <= request.headers.items()
        if row.key != "not-needed":
            assert request.headers[row.header] == f"{row.scheme}{row.key}"


@pytest.mark.parametrize("provider", ["vllm", "ollama"])
async def test_headers_travel_with_local_probes(wire: Wire, provider: str) -> None:
    """A gateway before a local server may need them."""
    stored = StoredConfig(providers={provider: ConnectionChoice(options=CallOptions(headers=OWN))})
    config = snapshot(load_settings(), stored).connections[provider]
    probe = local_probe(lambda _: None, lambda _: probe_headers(config))
    await probe(config.provider, f"{config.base_url.value}/health")
    (request,) = wire.requests
    assert OWN.items() <= request.headers.items()


async def test_lists_are_kept_by_headers(wire: Wire) -> None:
    """A header may lead to another list."""
    lists = ModelLists()
    for headers in (OWN, OWN, {"x-team": "Tier 3"}):
        stored = StoredConfig(
            providers={"vllm": ConnectionChoice(options=CallOptions(headers=headers))}
        )
        await lists.of(listing_reference(snapshot(load_settings(), stored), "vllm"), "", None)
    assert [request.headers["x-team"] for request in wire.requests] == ["Tier 2", "Tier 3"]


async def test_own_beta_header_is_joined_with_what_the_call_needs(wire: Wire) -> None:
    """Anthropic reads one list of them."""
    model = handle("anthropic", headers={"anthropic-beta": "context-1m-2025-08-07"})
    request = await request_of(wire, model, **STRUCTURED)
    betas = set(request.headers["anthropic-beta"].split(","))
    assert betas == {"context-1m-2025-08-07", *TABLE["anthropic"].structured.values()}


@pytest.mark.parametrize(
    ("option", "stream"),
    [("timeout", False), ("first_token_timeout", True)],
    ids=["whole", "streamed"],
)
async def test_own_time_replaces_the_process_wide_one(
    wire: Wire,
    option: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """And the error names it."""
    given: dict[str, Any] = {option: 0.2}
    gate, model = threading.Event(), handle("vllm", **given)
    wire.vllm.faults.set(Fault(gate=gate))
    try:
        with pytest.raises(ProviderTimeout, match=rf"0\.2 s.*option {option} of vllm"):
            await model.run(PING, stream=stream)
    finally:
        gate.set()


@every_provider
async def test_headers_follow_no_redirect(wire: Wire, provider: str) -> None:
    """They are the connection's, as its key is."""
    elsewhere = wire.ollama if provider != "ollama" else wire.vllm
    wire.server(provider).faults.set(Fault(redirect=f"{elsewhere.url}/v1/chat/completions"))
    model = handle(provider, headers=OWN)
    with pytest.raises(ModelCallError):
        await model.run(PING)
    with pytest.raises(ModelCallError):
        await ModelLists().of(model.binding.reference, "", None)
    await ask_server(model.binding.reference, None)
    assert elsewhere.requests == []


async def test_option_that_a_model_refuses_is_left_out_and_remembered(wire: Wire) -> None:
    """As one that a caller set."""
    del wire
    with PickyServer(refuses("temperature")) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_VLLM_BASE_URL", f"{server.url}/v1")
        model = handle("vllm", temperature=0.5, reasoning_effort="low")
        first, second = await outcome(model), await outcome(model)
    assert ["temperature" in body for body in server.bodies] == [True, False, False]
    assert first.left_out == second.left_out == {Refusable.TEMPERATURE}
    assert all("reasoning_effort" in body for body in server.bodies)


async def test_bound_leaves_half_of_a_known_window_to_the_prompt(wire: Wire) -> None:
    """Servers refuse a bound that a prompt can't stand beside."""
    model = handle("vllm", max_output_tokens=8000)
    place = model.binding.reference
    keep_window(place, ContextWindow(4096, "server"))
    try:
        request = await request_of(wire, model)
    finally:
        forget_window(place)
    assert request.body["max_tokens"] == 2048


async def test_bound_is_no_more_than_the_vendors_model_answers(wire: Wire) -> None:
    """OpenAI refuses more than `gpt-4o` can write."""
    request = await request_of(wire, handle("openai", max_output_tokens=1_000_000))
    assert request.body["max_tokens"] == 16_384
