"""Who asks a model, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from aurorasoc.config.vocabulary import Role, Tlp


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and with what.

    Attributes:
        role: The requested role.
        tlp: The label of the data.
        agent: The agent's name, if one asks.
    """

    role: Role
    tlp: Tlp | None
    agent: str | None = None
