"""The card by which clients find an agent, and what it speaks."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any, Final

from a2a.server.request_handlers.response_helpers import agent_card_to_dict
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
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from google.protobuf.json_format import MessageToDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurorasoc.a2a import version_0_3, version_1
from aurorasoc.a2a.door import VERSION_HEADER, version_of
from aurorasoc.agents.registry import AgentDefinition, Skill

_KEPT: Final = "public, max-age=300"
"""How long clients may keep a card (specification §8.6.1): a restart may change it."""


def card_of(definition: AgentDefinition, url: str, *, wants_token: bool = False) -> AgentCard:
    """Return an agent's card, in terms of version 1.0.

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


def card_route(card: AgentCard) -> Route:
    """Return the route of a card: as 1.0 has it, or with the fields of 0.3 beside them.

    Like every request, one that names no version is one of 0.3. Clients of 1.0 that don't name
    theirs here pass over what they don't know.
    """
    both = _Shown(agent_card_to_dict(card))
    shown = {version_1.NAME: _Shown(MessageToDict(card))}

    async def endpoint(request: Request) -> Response:
        """Answer with the card, or with 304 where the client has it."""
        return shown.get(version_of(request), both).to(request)

    return Route(AGENT_CARD_WELL_KNOWN_PATH, endpoint, methods=["GET"])


class _Shown:
    """A card as it is sent.

    Args:
        document: The card.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._body = json.dumps(document).encode()
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()}"'

    def to(self, request: Request) -> Response:
        """Return the answer to a request (RFC 9110 §13.1.2)."""
        headers = {"ETag": self._tag, "Cache-Control": _KEPT, "Vary": VERSION_HEADER}
        had = request.headers.get("if-none-match", "").split(",")
        if self._tag in {tag.strip().removeprefix("W/") for tag in had}:
            return Response(status_code=304, headers=headers)
        return Response(self._body, media_type="application/json", headers=headers)


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
