"""The reachability test: what it says of a provider, and that production's path is tested."""

from pathlib import Path

import pytest

from aurorasoc.config.settings import Settings
from aurorasoc.llm.models.test_call import make_test_call
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, PROVIDERS, World, handle_on
from tests.examples import settings
from tests.world.vendor import Fault, Refusal
from tests.world.vendor_bodies import chat

CODES = {
    "auth_failed": Fault(refusal=Refusal.BAD_KEY),
    "model_not_found": Fault(refusal=Refusal.UNKNOWN_MODEL),
    "rate_limited": Fault(refusal=Refusal.RATE_LIMITED),
    "quota_exceeded": Fault(refusal=Refusal.QUOTA),
    "endpoint_not_found": Fault.html(404),
    "context_too_long": Fault(status=413),
    "overloaded": Fault(refusal=Refusal.OVERLOADED),
    "unreachable": Fault(reset=True),
    "refused": chat({"content": None, "refusal": "I can't help with that."}, "stop", stream=False),
    "blocked": chat({"content": "The exploit "}, "content_filter", stream=False),
    "bad_response": Fault.html(),
}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_provider_that_answers_is_ok(world: World, tmp_path: Path, provider: str) -> None:
    """One short call."""
    boot = settings(tmp_path, **world.variables())
    result = await make_test_call(handle_on(boot, provider).binding)
    assert (result.ok, result.code, result.provider) == (True, "ok", provider)
    assert len(world.server(provider).requests) == 1


@pytest.mark.parametrize("code", CODES)
async def test_a_fault_is_named_by_its_code(world: World, boot: Settings, code: str) -> None:
    """The codes of the contract."""
    world.keyed.faults.set(CODES[code])
    result = await make_test_call(handle_on(boot, "deepseek").binding)
    assert (result.ok, result.code) == (False, code)


@pytest.mark.parametrize(
    ("fault", "times"), [(Fault(refusal=Refusal.BAD_REQUEST), 2), (Fault.html(), 1)], ids=str
)
async def test_only_a_refused_request_is_made_again(
    world: World, boot: Settings, fault: Fault, times: int
) -> None:
    """The model may take no bound on tokens; a web page stays one."""
    world.keyed.faults.set(fault)
    assert (await make_test_call(handle_on(boot, "deepseek").binding)).code == "bad_response"
    assert len(world.keyed.requests) == times


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_answer_without_a_visible_token_is_reachable(
    world: World, tmp_path: Path, provider: str
) -> None:
    """Thinking models that are cut short show none."""
    world.server(provider).faults.set(Fault(empty_content=True))
    boot = settings(tmp_path, **world.variables())
    assert (await make_test_call(handle_on(boot, provider).binding)).ok


async def test_an_echoed_key_is_in_no_verdict(world: World, boot: Settings) -> None:
    """The detail is ours, not the vendor's."""
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY, echo_key=True))
    assert KEYS["deepseek"] not in repr(await make_test_call(handle_on(boot, "deepseek").binding))


async def test_an_endpoint_that_checks_keys_is_seen_to(runtime: Runtime, world: World) -> None:
    """A wrong key is refused there."""
    del world
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    assert (result.ok, result.key_checked) == (True, True)


async def test_an_endpoint_that_takes_any_key_is_named(world: World, runtime: Runtime) -> None:
    """A green test there would prove nothing of the key."""
    world.keyed.faults.set(Fault(ignore_keys=True))
    result = await runtime.admin.test("deepseek", role="specialist", actor="test")
    assert (result.ok, result.key_checked) == (True, False)
    assert "doesn't check keys" in result.detail
