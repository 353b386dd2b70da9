"""`/metrics` tells connections apart, by name and by the kind of their provider."""

from collections.abc import AsyncIterator

import pytest
from beeai_framework.backend.message import UserMessage
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc import get_chat_model
from aurorasoc.api.metrics import render
from aurorasoc.errors import DECLINED, ProviderUnreachable
from aurorasoc.llm.changes import connection_edits
from aurorasoc.llm.wire.breaker import FAILURES
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.component.two_servers import TwoServers, assign, two_servers
from tests.world.vendor import Fault


@pytest.fixture
async def labs(runtime: Runtime) -> AsyncIterator[TwoServers]:
    """Yield two connected servers; malware-analyst is assigned to the first one."""
    with two_servers() as labs:
        await labs.connect(runtime)
        await assign(runtime, malware_analyst="lab-a")
        yield labs


async def _samples(name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by those of its labels: connection, outcome, provider."""
    families = text_string_to_metric_families((await render()).decode())
    samples = [sample for family in families for sample in family.samples]
    return {tuple(s.labels.values()): s.value for s in samples if s.name == name}


async def test_calls_are_counted_by_connection(labs: TwoServers) -> None:
    """Two servers of one kind are two series; a sum over `provider` is what it was before."""
    del labs
    for agent in ("malware-analyst", None):
        await get_chat_model(agent=agent).run([UserMessage("ping")])
    calls = await _samples("aurorasoc_model_calls_total")
    assert calls == {("lab-a", "ok", "vllm"): 1.0, ("deepseek", "ok", "deepseek"): 1.0}


async def test_every_connection_has_its_readiness(labs: TwoServers) -> None:
    """Named ones beside the built-in."""
    del labs
    ready = await _samples("aurorasoc_provider_ready")
    assert (ready["lab-a", "vllm"], ready["lab-b", "vllm"]) == (1.0, 1.0)
    assert ready["anthropic", "anthropic"] == 0.0


async def test_connection_that_is_removed_leaves_no_series(
    runtime: Runtime, labs: TwoServers
) -> None:
    """Neither its readiness nor its calls."""
    del labs
    await get_chat_model(agent="malware-analyst").run([UserMessage("ping")])
    await assign(runtime, malware_analyst=None)
    removal = connection_edits.delete_connection(runtime.settings, "lab-a")
    await runtime.admin.change(removal, actor="test")
    assert b"lab-a" not in await render()


async def test_breaker_shows_its_state_and_what_it_did(world: World, runtime: Runtime) -> None:
    """For each connection; calls that aren't made are no calls."""
    del runtime
    before = await _samples("aurorasoc_connection_breaker")
    assert before["deepseek", "deepseek", "closed"] == 1.0
    world.keyed.faults.set(Fault(reset=True))
    for _ in range(FAILURES + 2):
        with pytest.raises(ProviderUnreachable):
            await get_chat_model().run([UserMessage("ping")])
    states = await _samples("aurorasoc_connection_breaker")
    assert [states["deepseek", "deepseek", state] for state in ("closed", "open", "probing")] == [
        0.0,
        1.0,
        0.0,
    ]
    label = ("deepseek", "deepseek")
    assert (await _samples("aurorasoc_connection_breaker_opened_total"))[label] == 1.0
    assert (await _samples("aurorasoc_model_calls_not_asked_total"))[label] == 2.0
    calls = await _samples("aurorasoc_model_calls_total")
    assert calls["deepseek", "unreachable", "deepseek"] == FAILURES


async def test_refusals_are_an_outcome_of_their_own(world: World, runtime: Runtime) -> None:
    """Their rate is what a SOC watches; the inventory has it, too."""
    await get_chat_model().run([UserMessage("ping")])
    body = b'{"error": {"code": "content_filter", "message": "filtered"}}'
    world.keyed.faults.set(Fault(status=400, body=body))
    with pytest.raises(DECLINED):
        await get_chat_model().run([UserMessage("ping")])
    calls = await _samples("aurorasoc_model_calls_total")
    assert calls["deepseek", "blocked", "deepseek"] == 1.0
    (row,) = (one for one in (await runtime.admin.inventory()).providers if one.active)
    assert (row.refusals.refused, row.refusals.blocked, row.refusals.calls) == (0, 1, 2)
