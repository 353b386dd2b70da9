"""A connection is tested with what was typed, and nothing of that is saved."""

from contextlib import suppress
from typing import Any

import pytest

from aurorasoc.core.audit.query import AuditFilter, find_entries
from aurorasoc.errors import (
    AuthFailed,
    InvalidInput,
    KeyBoundToOrigin,
    ModelNotFound,
    ProviderNotReady,
    UnknownProvider,
)
from aurorasoc.llm.changes.requests import ListRequest
from aurorasoc.llm.changes.requests import TestRequest as Request
from aurorasoc.llm.models.test_call import CallTest
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World
from tests.examples import API_KEY, config_request


async def tried(runtime: Runtime, name: str, **fields: Any) -> CallTest:
    """Test with these values, by the rules of REST."""
    return await runtime.admin.test_unsaved(name, Request.model_validate(fields), actor="test")


async def test_what_is_typed_is_tested_and_not_saved(world: World, runtime: Runtime) -> None:
    """Another model, on the wire and nowhere else."""
    before = runtime.adoption.snapshot
    result = await tried(runtime, "deepseek", model="deepseek-v4-pro")
    assert (result.connection, result.model) == ("deepseek", "deepseek-v4-pro")
    assert world.keyed.requests[0].body["model"] == "deepseek-v4-pro"
    assert await runtime.adoption.adopt() == before


async def test_a_typed_key_goes_to_the_typed_address_and_is_stored_nowhere(
    world: World, runtime: Runtime
) -> None:
    """It belongs to that address."""
    url = f"{world.keyed.url}/v1"
    result = await tried(runtime, "vllm", base_url=url, api_key=KEYS["vllm"], model="m")
    assert result.ok
    async with runtime.database.reading() as session:
        assert (await runtime.adoption.read(session)).key_rows == {}


async def test_the_key_in_force_stays_at_its_address(world: World, runtime: Runtime) -> None:
    """A typed address gets it only when it is typed, too."""
    with pytest.raises(KeyBoundToOrigin):
        await tried(runtime, "deepseek", base_url="http://127.0.0.1:9/v1")
    assert world.keyed.requests == []


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("nobody", {"model": "m"}, UnknownProvider),
        ("gemini", {"base_url": "http://127.0.0.1:9"}, InvalidInput),
        ("ollama", {"api_key": API_KEY}, InvalidInput),
        ("openai", {"base_url": "http://10.0.0.1/v1", "api_key": API_KEY}, InvalidInput),
    ],
)
async def test_what_could_not_be_saved_is_not_tested(
    world: World, runtime: Runtime, name: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    """By the same rules."""
    with pytest.raises(error):
        await tried(runtime, name, **fields)
    assert world.keyed.requests == []


async def listed(runtime: Runtime, name: str, **fields: Any) -> tuple[str, ...]:
    """List models with these values, by the rules of REST."""
    requested = ListRequest.model_validate(fields)
    return (await runtime.admin.models_unsaved(name, requested, actor="test")).models


async def test_models_are_listed_with_a_typed_key_at_a_typed_address(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind a connection that doesn't exist yet; nothing of it is stored or cached."""
    monkeypatch.setitem(world.keyed.models, "openai", ["gpt-4o", "text-embedding-3-large"])
    before = runtime.adoption.snapshot
    typed = {"provider": "openai", "base_url": world.keyed.url, "api_key": KEYS["openai"]}
    assert await listed(runtime, "new", **typed) == ("gpt-4o", "text-embedding-3-large")
    world.keyed.models["openai"] = ["gpt-5"]
    assert await listed(runtime, "new", **typed) == ("gpt-5",)
    assert await runtime.adoption.adopt() == before
    async with runtime.database.reading() as session:
        assert (await runtime.adoption.read(session)).key_rows == {}


async def test_models_of_a_typed_address_are_not_asked_for_with_the_key_in_force(
    world: World, runtime: Runtime
) -> None:
    """As for a test, and a change."""
    with pytest.raises(KeyBoundToOrigin):
        await listed(runtime, "deepseek", base_url="http://127.0.0.1:9/v1")
    assert world.keyed.requests == []


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("nobody", {"base_url": "https://gateway.example"}, UnknownProvider),
        ("openai", {"provider": "vllm"}, InvalidInput),
        ("new", {"provider": "openai"}, ProviderNotReady),
        ("openai", {"base_url": "http://10.0.0.1/v1", "api_key": API_KEY}, InvalidInput),
        ("sk-0123456789abcdefA", {"provider": "openai", "api_key": API_KEY}, InvalidInput),
    ],
)
async def test_models_are_not_asked_for_where_nothing_could_be_saved(
    world: World, runtime: Runtime, name: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    """By the same rules."""
    with pytest.raises(error):
        await listed(runtime, name, **fields)
    assert world.keyed.requests == []


@pytest.mark.parametrize(("key", "code"), [(KEYS["openai"], "ok"), (API_KEY, "auth_failed")])
async def test_a_list_with_unsaved_values_is_audited_as_a_test(
    world: World, runtime: Runtime, key: str, code: str
) -> None:
    """Before anything is sent, and with how it ended; the key is in neither entry."""
    with suppress(AuthFailed):
        await listed(runtime, "new", provider="openai", base_url=world.keyed.url, api_key=key)
    async with runtime.database.reading() as session:
        finished, started, *_ = await find_entries(session, AuditFilter(limit=2))
    assert (started.action, finished.action) == ("llm.test.started", "llm.test.finished")
    assert (started.details or {})["of"] == "models"
    assert (finished.details or {})["code"] == code
    assert key not in repr((started, finished))


async def test_a_verified_switch_tests_the_orchestrators_model_too(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that doesn't exist is found before it is in force."""
    monkeypatch.setitem(world.keyed.models, "deepseek", ["deepseek-v4-flash"])
    requested = config_request("deepseek", orchestrator_model="missing")
    with pytest.raises(ModelNotFound):
        await runtime.admin.switch(requested, actor="test", verify=True)
    assert runtime.adoption.snapshot.revision == 0
