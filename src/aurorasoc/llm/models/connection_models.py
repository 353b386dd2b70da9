"""What is known of the two models of a provider, the specialist and the orchestrator."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Role
from aurorasoc.granite.backend_resolution import described_reference
from aurorasoc.llm.models.facts import ModelFacts, facts_of
from aurorasoc.llm.models.retirement import Retirements, retirements
from aurorasoc.llm.wire.asking.learned import Learned, Place


@dataclass(frozen=True, slots=True)
class ConnectionModels:
    """A provider's models.

    Attributes:
        specialist: What is known of it; None if none is configured.
        orchestrator: The same.
        retirements: Which of them have retired, or will soon.
    """

    specialist: ModelFacts | None = None
    orchestrator: ModelFacts | None = None
    retirements: Retirements = field(default_factory=Retirements)


def models_of(
    snapshot: Snapshot, name: ConnectionName, learned: Learned, today: date
) -> ConnectionModels:
    """Return what is known of a connection's models. Nobody is asked; load the table before."""
    facts: dict[Role, ModelFacts] = {}
    days: dict[str, date] = {}
    roles: tuple[Role, ...] = ("specialist", "orchestrator")
    for role in roles:
        reference = described_reference(snapshot, name, role)
        if reference is not None:
            capabilities = learned.of(Place.of(reference)).capabilities
            known = facts[role] = facts_of(reference, capabilities)
            if known.retires_on is not None:
                days[reference.model] = date.fromisoformat(known.retires_on)
    return ConnectionModels(
        facts.get("specialist"), facts.get("orchestrator"), retirements(days, today)
    )
