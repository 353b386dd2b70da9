"""A connection is tested with what was typed, and nothing of that is saved."""

from typing import Any

import pytest

from aurorasoc.errors import InvalidInput, KeyBoundToOrigin, ModelNotFound, UnknownProvider
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


async def test_a_verified_switch_tests_the_orchestrators_model_too(
    world: World, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that doesn't exist is found before it is in force."""
    monkeypatch.setitem(world.keyed.models, "deepseek", ["deepseek-v4-flash"])
    requested = config_request("deepseek", orchestrator_model="missing")
    with pytest.raises(ModelNotFound):
        await runtime.admin.switch(requested, actor="test", verify=True)
    assert runtime.adoption.snapshot.revision == 0
