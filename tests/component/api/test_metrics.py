"""`/metrics` tells connections apart, by name and by the kind of their provider."""

from collections.abc import AsyncIterator

import pytest
from beeai_framework.backend.message import UserMessage
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc import get_chat_model
from aurorasoc.api.metrics import render
from aurorasoc.llm.changes import connection_edits
from aurorasoc.runtime import Runtime
from tests.component.two_servers import TwoServers, assign, two_servers


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
