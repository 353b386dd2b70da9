"""What the configuration's calls take and answer. No answer has a field for a key."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from aurorasoc.config.vocabulary import Role


class TestBody(BaseModel):
    """Which of the provider's two models to test."""

    __test__ = False  # not a test class, whatever its name
    model_config = ConfigDict(extra="forbid")

    role: Role = "specialist"


class AuditEntry(BaseModel):
    """One audit entry."""

    seq: int
    at: str
    actor: str
    action: str
    target: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    """Entries, newest first. `next_before` gives the page that follows; null is the end."""

    entries: list[AuditEntry]
    next_before: int | None
