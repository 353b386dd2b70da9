"""What a test finds of a model: asked over the production path, shown, and shared."""

import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.llm.models.capabilities import ask_capabilities
from aurorasoc.llm.wire.asking.learned import Capabilities, Lesson, Place, Refusable
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, PROVIDERS, World, handle_on, variable
from tests.examples import config_request, settings
from tests.world.picky import PickyServer, Rule, refuses, refuses_format, refuses_role
from tests.world.vendor import Fault, Refusal

ANSWER = '{"findings": [{"title": "a", "evidence": "b"}], "techniques": []}'


@pytest.fixture(autouse=True)
async def _closed(libraries: None) -> AsyncIterator[None]:
    """Close the connections that a test's loop kept open."""
    del libraries
    yield
    await adapter.close()


async def found_at(server: PickyServer, folder: Path) -> Capabilities:
    """Ask a vLLM that this server plays."""
    variables = {
        variable("vllm", "BASE_URL"): f"{server.url}/v1",
        variable("vllm", "API_KEY"): KEYS["vllm"],
    }
    binding = handle_on(settings(folder, **variables), "vllm").binding
    return (await ask_capabilities(binding)).capabilities


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_vendor_that_does_all_is_found_to(
    world: World, tmp_path: Path, provider: str
) -> None:
    """Structured output is asked for as the vendor takes it."""
    boot = settings(tmp_path, **world.variables())
    findings = await ask_capabilities(handle_on(boot, provider).binding)
    capabilities = findings.capabilities
    assert findings.failure is None
    assert (capabilities.chat, capabilities.stream, capabilities.tools) == (True, True, True)
    form = "json_object" if provider == "deepseek" else "json_schema"
    assert capabilities.structured_output == form
    assert (capabilities.system_role, capabilities.temperature) == (True, True)
    assert capabilities.counts_tokens is True
    assert capabilities.asked_at is not None


REFUSALS: dict[str, tuple[list[Rule], dict[str, object]]] = {
    "schema": ([refuses_format("json_schema")], {"structured_output": "json_object"}),
    "every format": (
        [refuses_format("json_schema"), refuses_format("json_object")],
        {"structured_output": "prompt"},
    ),
    "system role": ([refuses_role("system")], {"system_role": False}),
    "temperature": ([refuses("temperature")], {"temperature": False}),
    "tools": ([refuses("tools", "m does not support tools")], {"tools": False}),
    "streams": ([refuses("stream", "no streams here")], {"stream": False, "temperature": None}),
}


LEFT_OUT = {
    "schema": ("json_schema",),
    "every format": ("json_object", "json_schema"),
    "system role": ("system_role",),
    "temperature": ("temperature",),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_what_is_refused_is_found(tmp_path: Path, name: str) -> None:
    """And nothing else is; what this server never does is not known."""
    rules, expected = REFUSALS[name]
    with PickyServer(*rules, says=ANSWER) as server:
        capabilities = await found_at(server, tmp_path)
    usual = {
        "chat": True,
        "stream": True,
        "tools": None,
        "structured_output": "json_schema",
        "system_role": True,
        "temperature": True,
        "counts_tokens": False,
        "context_window": None,
    }
    shown = {field: getattr(capabilities, field) for field in usual}
    assert shown == usual | expected
    assert capabilities.left_out == LEFT_OUT.get(name, ())


async def test_test_learns_all_anew(world: World, runtime: Runtime) -> None:
    """What was known before may be wrong by now."""
    del world
    binding = runtime.pool.of_connection(
        ServingBackend("deepseek"), "specialist", runtime.adoption.snapshot
    )
    place, learned = Place.of(binding.reference), runtime.pool.sites.learned
    learned.learn(Lesson(place, refused=frozenset({Refusable.SEED})))
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    assert learned.of(place).refused == frozenset()
    assert learned.of(place).capabilities == result.capabilities is not None


async def test_stream_of_a_tested_model_shows_no_thoughts_that_have_no_beginning(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test streams, and so sees them; a test after a change of the server sees that, too."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    key = SecretStr(KEYS["vllm"])
    with PickyServer(says=f"Let me see.\n</think>\n\n{ANSWER}") as server:
        requested = config_request("vllm", base_url=f"{server.url}/v1", api_key=key)
        await runtime.admin.switch(requested, actor="test")
        await runtime.admin.test("vllm", role="specialist", actor="test")
        deltas: list[str] = []
        run = get_chat_model().run([UserMessage("ping")], stream=True)
        await run.on("new_token", lambda data, _: deltas.append(data.value.get_text_content()))
        assert "".join(deltas) == ANSWER
        place = Place.of(get_chat_model().binding.reference)
        assert runtime.pool.sites.learned.of(place).thinks_untagged
        server.says = ANSWER
        await runtime.admin.test("vllm", role="specialist", actor="test")
        assert not runtime.pool.sites.learned.of(place).thinks_untagged


async def test_a_test_that_fails_forgets_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that can't be reached says nothing of its model."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with PickyServer(says=ANSWER) as server:
        key = SecretStr(KEYS["vllm"])
        requested = config_request("vllm", base_url=f"{server.url}/v1", api_key=key)
        await runtime.admin.switch(requested, actor="test")
        await runtime.admin.test("vllm", role="specialist", actor="test")
        place = Place.of(get_chat_model().binding.reference)
    known = runtime.pool.sites.learned.of(place)
    assert not (await runtime.admin.test("vllm", role="specialist", actor="test")).ok
    assert (runtime.pool.sites.learned.of(place), known.capabilities is None) == (known, False)


@pytest.mark.parametrize(
    "text",
    [
        f"I looked at {{host}} first: {ANSWER} So it is {{harmless}}.",
        f"{ANSWER} {ANSWER}",
        "{step} " * 300 + ANSWER,
    ],
)
async def test_form_is_found_where_investigations_find_it(tmp_path: Path, text: str) -> None:
    """Among words and braces, however many, and said twice."""
    with PickyServer(says=text) as server:
        assert (await found_at(server, tmp_path)).structured_output == "json_schema"


NO_ANSWERS = {
    "words": "I'd say it is harmless.",
    "braces": "{step} " * 300,
    "another type": '{"findings": "none", "techniques": []}',
    "two that differ": f"{ANSWER} {ANSWER.replace('[]', json.dumps(['T1110']))}",
}


@pytest.mark.parametrize("name", NO_ANSWERS)
async def test_model_that_gives_no_structured_answers_is_not_ok(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every investigation on it would fail."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with PickyServer(says=NO_ANSWERS[name]) as server:
        key = SecretStr(KEYS["vllm"])
        requested = config_request("vllm", base_url=f"{server.url}/v1", api_key=key)
        await runtime.admin.switch(requested, actor="test")
        result = await runtime.admin.test("vllm", role="specialist", actor="test")
        asked = [body for body in server.bodies if "response_format" in body]
    assert (result.ok, result.code) == (False, "bad_response")
    assert "form that investigations need" in result.detail
    assert result.capabilities is not None
    assert (result.capabilities.chat, result.capabilities.structured_output) == (True, "none")
    assert len(asked) == 2


async def test_model_that_takes_too_long_for_an_investigation_is_not_ok(
    world: World, tmp_path: Path
) -> None:
    """`LLM_TIMEOUT` would end its steps as well."""
    gate = threading.Event()
    boot = settings(tmp_path, **world.variables(LLM_TIMEOUT="0.3"))
    world.keyed.faults.set(Fault(gate=gate, times=1))
    binding = handle_on(boot, "openai").binding
    failure = (await ask_capabilities(binding)).failure
    gate.set()
    assert failure is not None
    assert failure.code == "timeout"


async def test_failed_test_says_nothing_of_capabilities(world: World, runtime: Runtime) -> None:
    """And asks no more."""
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY))
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    assert (result.code, result.capabilities) == ("auth_failed", None)
    assert len(world.keyed.requests) == 1


async def test_inventory_shows_what_was_found(world: World, runtime: Runtime) -> None:
    """For the model that is configured; another one was not tested."""
    del world
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    rows = {row.provider.value: row for row in (await runtime.admin.inventory()).providers}
    assert rows["deepseek"].capabilities == result.capabilities
    assert rows["openai"].capabilities is None
    await runtime.admin.switch(config_request("deepseek", model="another"), actor="test")
    rows = {row.provider.value: row for row in (await runtime.admin.inventory()).providers}
    assert rows["deepseek"].capabilities is None
