"""Whether an investigation can begin: what its first calls would raise, before any is made."""

from __future__ import annotations

from collections.abc import Iterable

from aurorasoc.agents.registry import AGENTS, ORCHESTRATOR, AgentDefinition
from aurorasoc.config.assignments import Assignment
from aurorasoc.config.settings.ambient import proxies
from aurorasoc.errors import AuroraError
from aurorasoc.granite.sensitivity import require_local
from aurorasoc.llm.models.handles import parse_tlp
from aurorasoc.runtime import Runtime


async def require_answering(runtime: Runtime, tlp: str | None) -> None:
    """Require that the orchestrator can answer, and at least one specialist.

    Specialists may be assigned to different connections, and only the plan says who is asked. One
    that can't answer fails its own step, and the report names it.

    Raises:
        TlpRefused: The label forbids every backend at hand.
        NoModelConfigured, ProviderNotReady, BackendUnavailable: There is no model to ask.
    """
    await _require_way(runtime, AGENTS[ORCHESTRATOR], tlp)
    first: AuroraError | None = None
    for specialist in _assigned_differently(runtime):
        try:
            await _require_way(runtime, specialist, tlp)
        except AuroraError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def _assigned_differently(runtime: Runtime) -> Iterable[AgentDefinition]:
    """Return a specialist for each assignment; first one that has none of its own, if any."""
    assignments = runtime.adoption.snapshot.assignments
    specialists = [agent for agent in AGENTS.values() if agent.name != ORCHESTRATOR]
    specialists.sort(key=lambda agent: agent.name in assignments.agents)
    by_assignment: dict[Assignment | None, AgentDefinition] = {}
    for agent in specialists:
        by_assignment.setdefault(assignments.of(agent.role, agent.name), agent)
    return by_assignment.values()


async def _require_way(runtime: Runtime, agent: AgentDefinition, tlp: str | None) -> None:
    """Raise what a call of an agent would raise before it leaves."""
    await runtime.pool.prepare(tlp, agent.role, agent.name)
    binding = runtime.pool.current(agent.role, parse_tlp(tlp), agent.name)
    reference, networks = binding.reference, runtime.settings.llm.local_networks
    if binding.restricted:
        await require_local(reference.provider, reference.origin, networks, proxies())
