"""The only way to make an agent."""

from __future__ import annotations

from aurorasoc.agents.registry import definition_of
from aurorasoc.agents.soc_agent import SocAgent
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import Conflict, DatabaseUnavailable
from aurorasoc.llm.models.handles import parse_tlp
from aurorasoc.runtime import Runtime

log = get_logger("aurorasoc.agents")


class AgentFactory:
    """Makes agents on the models of a runtime.

    Args:
        runtime: An open one.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def build(self, name: str, *, tlp: str | None = None) -> SocAgent:
        """Make an agent on the newest configuration.

        Args:
            name: One of the registry's.
            tlp: TLP 2.0 label of the data that it will get, CLEAR to RED; None means unlabelled.

        Returns:
            An agent with a live handle: it follows every switch, but each of its runs is pinned.

        Raises:
            NotFound: There is no such agent; the message names all agents.
            InvalidInput: There is no such label.
            BackendUnavailable: A local backend is needed and none answers; the message names both
                addresses.
            NoModelConfigured: The backend in force has no model.
            ProviderNotReady: The provider in force can't take calls.
            TlpRefused: The label forbids every backend at hand.
            DatabaseUnavailable, Conflict: No configuration was ever adopted.
        """
        definition = definition_of(name)
        await self._adopt_newer()
        pool, role = self._runtime.pool, definition.role
        await pool.prepare(tlp, role, name)
        pool.current(role, parse_tlp(tlp), name)  # raises if there is no model
        return SocAgent(definition, pool.handles[role, tlp, name])

    async def _adopt_newer(self) -> None:
        """Adopt a newer revision; keep the current one while the stored one can't be adopted."""
        adoption = self._runtime.adoption
        try:
            await adoption.follow()
        except (Conflict, DatabaseUnavailable) as error:
            if not adoption.ready:
                raise
            log.warning("built on the configuration in force", code=error.code)
