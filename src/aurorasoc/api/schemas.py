"""What the configuration's calls take and answer. No answer has a field for a key."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aurorasoc.config.snapshot import KeySource, KeyState, Source, StoreProblem
from aurorasoc.config.vocabulary import Role, ServingBackend
from aurorasoc.llm.inventory import Active, PolicyView


class TestBody(BaseModel):
    """Which of the provider's two models to test."""

    __test__ = False  # not a test class, whatever its name
    model_config = ConfigDict(extra="forbid")

    role: Role = "specialist"


class ProblemItem(BaseModel):
    """Why something isn't ready, and what to do."""

    code: str
    detail: str


class SecretStoreView(BaseModel):
    """How the secret store answered last."""

    kind: Literal["vault", "database"]
    state: Literal["ok", "stale", "unavailable"]
    stale_since: str | None
    problem: StoreProblem | None


class Sources(BaseModel):
    """Where each value comes from."""

    model: Source
    orchestrator_model: Source
    base_url: Source
    api_key: KeySource | None


class LastErrorView(BaseModel):
    """How the last failed call ended."""

    code: str
    detail: str
    at: str | None


class ProviderView(BaseModel):
    """One provider's row."""

    provider: ServingBackend
    active: bool
    needs_key: bool
    key_present: bool
    key_last4: str | None
    key_source: KeySource | None
    key_state: KeyState
    base_url: str | None
    base_url_support: Literal["none", "optional", "required"]
    model: str | None
    orchestrator_model: str | None
    sources: Sources
    data_leaves_host: bool
    best_for: str
    ready: bool
    problems: list[ProblemItem]
    last_ok_at: str | None
    last_error: LastErrorView | None


class Inventory(BaseModel):
    """All providers, the active choice, the policy, and how the stores answered."""

    revision: int
    fingerprint: str
    stale_since: str | None = Field(description="Since when the database doesn't answer.")
    active: Active
    policy: PolicyView
    secret_store: SecretStoreView
    providers: list[ProviderView]


class AdoptionView(BaseModel):
    """Whether all live processes have adopted a change, and which haven't."""

    adopted: bool
    pending: list[str] = Field(examples=[["agent-9f3c2a71b0de"]])


class MutationAnswer(BaseModel):
    """What is in force after a change; `adoption` with `?wait` only."""

    model_config = ConfigDict(from_attributes=True)

    revision: int
    active: Active
    provider: ProviderView | None
    adoption: AdoptionView | None = Field(None, exclude_if=lambda value: value is None)


class TestAnswer(BaseModel):
    """What a test found. `ok` false is an answer, not an error."""

    __test__ = False  # not a test class, whatever its name

    provider: ServingBackend
    model: str
    ok: bool
    code: str = Field(examples=["ok", "auth_failed", "unreachable"])
    detail: str
    latency_ms: int
    key_checked: bool | None


class ModelsAnswer(BaseModel):
    """The models that a provider itself lists."""

    provider: ServingBackend
    models: list[str]


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
