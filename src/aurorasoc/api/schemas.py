"""What the configuration's calls take and answer. No answer has a field for a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.snapshot import KeySource, KeyState, Source, StoreProblem
from aurorasoc.config.vocabulary import BackendChoice, LocalChoice, Role, ServingBackend, Tlp
from aurorasoc.llm.changes.edits import UNCHANGED, Configuration, PolicyChange

MAX_KEY_LENGTH = 4096

Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=255, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


def _clean_key(key: SecretStr) -> SecretStr:
    """Strip a key at the door, and refuse what can't stand in a header."""
    text = key.get_secret_value().strip()
    if not text:
        msg = "must not be empty; to remove a key, delete it"
        raise ValueError(msg)
    if len(text) > MAX_KEY_LENGTH or not fits_a_header(text):
        msg = f"must be printable ASCII without spaces, {MAX_KEY_LENGTH} characters at most"
        raise ValueError(msg)
    return SecretStr(text)


class KeyBody(BaseModel):
    """A key to store. It is never shown again."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr = Field(json_schema_extra={"writeOnly": True})

    _clean = field_validator("api_key")(_clean_key)


class ConfigBody(BaseModel):
    """A switch. A field left out is unchanged; null is back to the boot default."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"provider": "deepseek", "model": "deepseek-v4-flash"}]},
    )

    provider: BackendChoice
    model: Name | None = None
    orchestrator_model: Name | None = None
    base_url: Address | None = None
    api_key: SecretStr | None = Field(None, json_schema_extra={"writeOnly": True})

    @field_validator("api_key")
    @classmethod
    def _clean(cls, key: SecretStr | None) -> SecretStr | None:
        return None if key is None else _clean_key(key)

    def configuration(self) -> Configuration:
        """Tell what was left out from what was sent as null."""
        sent = self.model_fields_set
        return Configuration(
            provider=str(self.provider),
            model=self.model if "model" in sent else UNCHANGED,
            orchestrator_model=(
                self.orchestrator_model if "orchestrator_model" in sent else UNCHANGED
            ),
            base_url=self.base_url if "base_url" in sent else UNCHANGED,
            api_key=self.api_key if "api_key" in sent else UNCHANGED,
        )


class PolicyBody(BaseModel):
    """A change of policy. A field left out is unchanged; null is back to the boot default."""

    model_config = ConfigDict(extra="forbid")

    hosted_max_tlp: Tlp | None = None
    local_backend: LocalChoice | None = None
    require_tlp: bool | None = None

    def change(self) -> PolicyChange:
        """Tell what was left out from what was sent as null."""
        sent = self.model_fields_set
        tlp = None if self.hosted_max_tlp is None else self.hosted_max_tlp.value
        return PolicyChange(
            hosted_max_tlp=tlp if "hosted_max_tlp" in sent else UNCHANGED,
            local_backend=self.local_backend if "local_backend" in sent else UNCHANGED,
            require_tlp=self.require_tlp if "require_tlp" in sent else UNCHANGED,
        )


class TestBody(BaseModel):
    """Which of the provider's two models to test."""

    __test__ = False  # not a test class, whatever its name
    model_config = ConfigDict(extra="forbid")

    role: Role = "specialist"


class ProblemItem(BaseModel):
    """Why something isn't ready, and what to do."""

    code: str
    detail: str


class Active(BaseModel):
    """The backend in force."""

    backend: ServingBackend | None
    requested: BackendChoice
    source: Source
    model: str | None
    orchestrator_model: str | None
    base_url: str | None
    ready: bool
    problems: list[ProblemItem]


class PolicyView(BaseModel):
    """Where labelled data may go."""

    hosted_max_tlp: Tlp
    local_backend: LocalChoice
    require_tlp: bool


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
