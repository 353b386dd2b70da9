"""The card by which clients find an agent, and what it speaks."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)

from aurorasoc.a2a import version_0_3, version_1
from aurorasoc.agents.registry import AgentDefinition, Skill

KEPT_BY_CLIENTS: Final = "public, max-age=300"
"""How long clients may keep a card (specification §8.6.1): a restart may change it."""


def card_of(definition: AgentDefinition, url: str, *, wants_token: bool = False) -> AgentCard:
    """Return an agent's card, in terms of version 1.0; the SDK adds the fields of 0.3.

    Args:
        definition: Describes the agent.
        url: Where clients reach it.
        wants_token: Whether callers need a token.
    """
    card = AgentCard(
        name=definition.name,
        description=definition.description,
        supported_interfaces=_interfaces(url),
        version=version("aurorasoc"),
        default_input_modes=["text/plain", "application/json"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        skills=[_skill(skill, definition) for skill in definition.skills],
    )
    if wants_token:
        bearer = HTTPAuthSecurityScheme(scheme="bearer", bearer_format="JWT")
        card.security_schemes["bearer"].CopyFrom(SecurityScheme(http_auth_security_scheme=bearer))
        card.security_requirements.append(SecurityRequirement(schemes={"bearer": StringList()}))
    return card


def _interfaces(url: str) -> list[AgentInterface]:
    """Return what an agent speaks: what clients should prefer first (§8.3.1)."""
    spoken = [
        ("JSONRPC", version_1.NAME, url),
        ("HTTP+JSON", version_1.NAME, url.rstrip("/")),
        ("JSONRPC", version_0_3.NAME, url),
    ]
    return [
        AgentInterface(protocol_binding=binding, protocol_version=number, url=address)
        for binding, number, address in spoken
    ]


def _skill(skill: Skill, definition: AgentDefinition) -> AgentSkill:
    return AgentSkill(
        id=skill.id,
        name=skill.name,
        description=skill.description,
        examples=[skill.example],
        tags=list(definition.tags),
    )
