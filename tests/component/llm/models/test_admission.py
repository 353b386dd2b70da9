"""A call is judged right before it is sent, and ends while it waits if it is refused."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr

from aurorasoc import get_chat_model
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import AuroraError, HostedStopped, ProviderNotReady, TlpRefused
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.requests import ConnectionRequest, HostedTrafficRequest
from aurorasoc.llm.models.test_call import make_test_call
from aurorasoc.llm.wire import calls
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World, until, use
from tests.examples import policy_request, settings
from tests.world.vendor import Fault, Refusal

PING: Final[list[Any]] = [UserMessage("ping")]
Change = Callable[[Runtime], Awaitable[object]]


async def _delete_the_key(runtime: Runtime) -> None:
    await runtime.admin.change(key_edits.delete_key("anthropic"), actor="test")


async def _lower_the_ceiling(runtime: Runtime) -> None:
    requested = policy_request(hosted_max_tlp="CLEAR")
    await runtime.admin.change(edits.set_policy(requested), actor="test")


async def _require_labels(runtime: Runtime) -> None:
    requested = policy_request(require_tlp=True)
    await runtime.admin.change(edits.set_policy(requested), actor="test")


async def _lower_its_own_ceiling(runtime: Runtime) -> None:
    body = ConnectionRequest(provider=ServingBackend.ANTHROPIC, max_tlp=Tlp.NONE)
    await runtime.admin.put_connection("anthropic", body, actor="test")


async def _delete_the_connection(runtime: Runtime) -> None:
    await use("vllm", runtime)
    change = connection_edits.delete_connection(runtime.settings, NAMED)
    await runtime.admin.change(change, actor="test")


async def _stop(runtime: Runtime) -> None:
    body = HostedTrafficRequest(state="stopped")
    await runtime.admin.set_hosted_traffic(body, actor="test")


NAMED: Final = "claude-eu"
TIGHTENED: Final[dict[str, tuple[str, str | None, Change, type[AuroraError]]]] = {
    "key deleted": ("anthropic", None, _delete_the_key, ProviderNotReady),
    "hosted traffic stopped": ("anthropic", None, _stop, HostedStopped),
    "ceiling lowered": ("anthropic", "GREEN", _lower_the_ceiling, TlpRefused),
    "ceiling lowered, not shown to be local": ("vllm", "GREEN", _lower_the_ceiling, TlpRefused),
    "its own ceiling lowered": ("anthropic", "GREEN", _lower_its_own_ceiling, TlpRefused),
    "connection deleted": (NAMED, None, _delete_the_connection, ProviderNotReady),
    "labels required": ("anthropic", None, _require_labels, TlpRefused),
}
every_change = pytest.mark.parametrize("name", TIGHTENED)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


@pytest.fixture
def boot(world: World, tmp_path: Path) -> Settings:
    """Return settings with one slot, and one further try."""
    variables = {"LLM_ANTHROPIC_API_KEY": "", "LLM_MAX_CONCURRENCY": "1", "LLM_MAX_RETRIES": "1"}
    variables |= {"AURORA_ALLOWED_HOSTS": "127.0.0.1"}
    return settings(tmp_path, **world.variables(**variables))


async def _use(provider: str, runtime: Runtime) -> None:
    if provider == "anthropic":
        key = SecretStr(KEYS["anthropic"])
        await runtime.admin.change(key_edits.set_key(provider, key), actor="test")
    elif provider == NAMED:
        present = runtime.adoption.snapshot.connections["anthropic"]
        body = ConnectionRequest(
            provider=ServingBackend.ANTHROPIC,
            base_url=present.base_url.value,
            model="m",
            api_key=SecretStr(KEYS["anthropic"]),
        )
        await runtime.admin.put_connection(NAMED, body, actor="test")
    await use(provider, runtime)


@every_change
async def test_a_call_that_waits_for_a_slot_ends_when_it_is_refused(
    world: World, runtime: Runtime, name: str, *, stream: bool
) -> None:
    """What was allowed when it was asked for may not be any more; the slot is still taken then."""
    provider, label, tighten, expected = TIGHTENED[name]
    await _use(provider, runtime)
    gate, handle = threading.Event(), get_chat_model(tlp=label)
    world.keyed.faults.set(Fault(gate=gate))
    flying = asyncio.ensure_future(handle.run(PING))
    await until(lambda: len(world.keyed.requests) == 1)
    waiting = asyncio.ensure_future(handle.run(PING, stream=stream))
    await asyncio.sleep(0.05)  # until it stands behind the first
    await tighten(runtime)
    with pytest.raises(expected):
        await asyncio.wait_for(waiting, 60)
    gate.set()
    if tighten is _stop:  # which ends what is under way, too
        with pytest.raises(expected):
            await flying
    else:
        await flying
    assert len(world.keyed.requests) == 1


@every_change
async def test_a_call_is_judged_before_its_next_try(
    world: World, runtime: Runtime, name: str, *, stream: bool
) -> None:
    """The first one failed in a way that may pass."""
    provider, label, tighten, expected = TIGHTENED[name]
    await _use(provider, runtime)
    gate = threading.Event()
    world.keyed.faults.set(Fault(refusal=Refusal.RATE_LIMITED, gate=gate))
    flying = asyncio.ensure_future(get_chat_model(tlp=label).run(PING, stream=stream))
    await until(lambda: len(world.keyed.requests) == 1)
    await tighten(runtime)
    gate.set()
    with pytest.raises(expected):
        await flying
    assert len(world.keyed.requests) == 1


@every_change
async def test_a_refused_call_ends_in_the_pause_before_its_next_try(
    world: World, runtime: Runtime, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is too long here for the next try to be what ends it."""
    monkeypatch.setattr(calls, "_waits", lambda _retries: [30.0])
    provider, label, tighten, expected = TIGHTENED[name]
    await _use(provider, runtime)
    world.keyed.faults.set(Fault(refusal=Refusal.RATE_LIMITED))
    flying = asyncio.ensure_future(get_chat_model(tlp=label).run(PING))
    await until(lambda: bool(runtime.pool._waits._waits))
    await tighten(runtime)
    with pytest.raises(expected):
        await asyncio.wait_for(flying, 60)
    assert len(world.keyed.requests) == 1


async def test_who_may_go_on_keeps_its_turn_and_no_slot_is_lost(
    world: World, runtime: Runtime
) -> None:
    """Of three that wait the middle one is refused; the others are sent in their order."""
    await _use("anthropic", runtime)
    gate = threading.Event()
    world.keyed.faults.set(Fault(gate=gate))
    texts, labels = ("flying", "first", "second", "third"), ("CLEAR", "CLEAR", "GREEN", "CLEAR")
    sent = []
    for text, label in zip(texts, labels, strict=True):
        call = get_chat_model(tlp=label).run([UserMessage(text)])
        sent.append(asyncio.ensure_future(call))
        await asyncio.sleep(0.05)
    await _lower_the_ceiling(runtime)
    with pytest.raises(TlpRefused):
        await asyncio.wait_for(sent.pop(2), 5)
    gate.set()
    await asyncio.gather(*sent)
    asked = [str(exchange.body["messages"]) for exchange in world.keyed.requests]
    assert [text for one in asked for text in texts if text in one] == ["flying", "first", "third"]
    await get_chat_model(tlp="CLEAR").run(PING)


async def test_a_key_that_is_replaced_breaks_no_call(world: World, runtime: Runtime) -> None:
    """Whoever waits goes on with the key that it was built with."""
    await _use("anthropic", runtime)
    gate, handle = threading.Event(), get_chat_model()
    world.keyed.faults.set(Fault(gate=gate))
    calls = [asyncio.ensure_future(handle.run(PING)) for _ in range(2)]
    await until(lambda: len(world.keyed.requests) == 1)
    replaced = key_edits.set_key("anthropic", SecretStr(KEYS["anthropic"]))
    await runtime.admin.change(replaced, actor="test")
    gate.set()
    assert len(await asyncio.gather(*calls)) == 2


async def test_an_admins_test_needs_no_label(runtime: Runtime) -> None:
    """It sends nobody's data."""
    await _require_labels(runtime)
    binding = runtime.pool.of_connection("vllm", "specialist", runtime.adoption.snapshot)
    assert (await make_test_call(binding)).ok
