"""What this process knows of a connection besides its configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.settings.llm import LLMSettings
from aurorasoc.config.snapshot import ConnectionConfig, Problem, Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.clock import Clock, day_of, now_us
from aurorasoc.granite.hosted_stop import warning_of
from aurorasoc.granite.sensitivity import why_not_local
from aurorasoc.llm.adoption.key_age import age_warning
from aurorasoc.llm.models.connection_models import ConnectionModels, models_of
from aurorasoc.llm.models.declined import NONE_DECLINED, Refusals
from aurorasoc.llm.models.health import UNKNOWN, Health
from aurorasoc.llm.models.traffic import LastCalls, TrafficLedger
from aurorasoc.llm.wire.asking.learned import Capabilities, Learned, Place
from aurorasoc.llm.wire.libraries import litellm_table


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a connection.

    Attributes:
        leaves_host: Whether data sent to it leaves the host's networks now.
        last: How its last calls ended.
        capabilities: What a test found its model to do; None if it wasn't tested.
        models: What its models are.
        health: Whether it answers.
        refusals: How often its models declined.
        warnings: What to do soon, besides what is to be said of its models.
    """

    leaves_host: bool
    last: LastCalls
    capabilities: Capabilities | None = None
    models: ConnectionModels = field(default_factory=ConnectionModels)
    warnings: tuple[Problem, ...] = ()
    health: Health = UNKNOWN
    refusals: Refusals = NONE_DECLINED


def models_in_use(snapshot: Snapshot, config: ConnectionConfig) -> list[str | None]:
    """Return a connection's models: its own two, and those that somebody is assigned to."""
    everyones = snapshot.assignments.everyones
    assigned = [one.model for one in everyones if one.connection == config.name]
    return [config.model.value, config.orchestrator_model.value, *assigned]


@dataclass(frozen=True, slots=True)
class Observer:
    """Collects what is known. Nobody is asked, but a host's name is resolved.

    Attributes:
        settings: Says which networks are local, and when a key is old.
        learned: What is known of models by asking them.
        ledger: How calls ended.
    """

    settings: LLMSettings
    learned: Learned
    ledger: TrafficLedger
    clock: Clock = now_us

    async def all_of(self, snapshot: Snapshot) -> dict[ConnectionName, Observation]:
        """Return what is known of each connection."""
        return await self.of_these(snapshot, snapshot.connections)

    async def of_these(
        self, snapshot: Snapshot, names: Iterable[ConnectionName]
    ) -> dict[ConnectionName, Observation]:
        """Return what is known of some connections; names of others are left out."""
        present = [name for name in names if name in snapshot.connections]
        observed = await asyncio.gather(*(self.of(snapshot, name) for name in present))
        return dict(zip(present, observed, strict=True))

    async def of(self, snapshot: Snapshot, name: ConnectionName) -> Observation:
        """Return what is known of one connection."""
        config = snapshot.connections[name]
        provider, origin = config.provider, config.origin or ""
        why = await why_not_local(provider, origin, self.settings.local_networks, proxies())
        known = self.learned.of(Place(provider.value, origin, config.model.value or ""))
        await litellm_table.load()
        models = models_of(snapshot, name, self.learned, day_of(self.clock()))
        old = age_warning(config, self.settings.key_max_age, self.clock())
        stopped = warning_of(snapshot) if config.ready and why is not None else None
        return Observation(
            why is not None,
            self.ledger.of(name),
            known.capabilities,
            models,
            tuple(warning for warning in (stopped, old) if warning is not None),
            self.ledger.health.of(config, models_in_use(snapshot, config)),
            self.ledger.refusals.of(config, models_in_use(snapshot, config)),
        )
