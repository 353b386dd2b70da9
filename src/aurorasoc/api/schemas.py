"""Request and response bodies. No response has a field for a key."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from aurorasoc.config.vocabulary import Role, TlpLabel
from aurorasoc.core.bodies import RequestBody
from aurorasoc.llm.changes.fields import Address, AgentName, Provider
from aurorasoc.llm.changes.requests import PlannedRequest


class ExplainBody(RequestBody):
    """A label, and who asks. `planned` holds what a change would set; nothing is changed."""

    tlp: TlpLabel | None = None
    role: Role = "specialist"
    agent: AgentName | None = None
    planned: PlannedRequest | None = None


class AddressBody(RequestBody):
    """An address as somebody types it, and the provider it is for."""

    provider: Provider
    base_url: Address


class AddressView(BaseModel):
    """An address as it is understood.

    `calls_to` is the URL that calls go to; `{model}` stands for the model where it names it.
    """

    base_url: str
    calls_to: str


class AuditEntry(BaseModel):
    """One audit entry. One that isn't `readable` was not written by this service."""

    seq: int
    at: str
    actor: str
    action: str
    target: str
    details: dict[str, Any]
    readable: bool
    hash: str


class AuditPage(BaseModel):
    """Entries, newest first. Pass `next_before` to get the next page; null means the end."""

    entries: list[AuditEntry]
    next_before: int | None
