"""Request bodies of the admin's calls.

A missing field changes nothing; null restores the boot default. `model_fields_set` tells them
apart.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from aurorasoc.config.assignments import Assignment
from aurorasoc.config.fallbacks import OnRefusal
from aurorasoc.config.hosted_traffic import MAX_REASON, HostedState
from aurorasoc.config.vocabulary import (
    Role,
    Tlp,
)
from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.secret_patterns import names_a_key
from aurorasoc.llm.adoption.option_rules import Headers, OptionRules
from aurorasoc.llm.adoption.stored import MAX_NAMED
from aurorasoc.llm.changes.fields import (
    Address,
    AgentName,
    Connection,
    Fallbacks,
    Key,
    Name,
    Provider,
)

MAX_ASSIGNED = 200
"""How many agents may have an assignment of their own."""


class KeyRequest(RequestBody):
    """A key to store. It is never shown again."""

    api_key: Key = Field(json_schema_extra={"writeOnly": True})


class ConfigRequest(RequestBody):
    """A switch. A missing field changes nothing; null restores the boot default."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"provider": "deepseek", "model": "deepseek-v4-flash"}]},
    )

    provider: Annotated[Connection, Field(description="A connection's name, or `auto`.")]
    model: Name | None = None
    orchestrator_model: Name | None = None
    base_url: Address | None = None
    api_key: Key | None = Field(None, json_schema_extra={"writeOnly": True})


def _without_known_secrets(headers: dict[str, str] | None) -> dict[str, str] | None:
    """Refuse a value that holds a key of this process: only stored keys stay secret."""
    for name, value in (headers or {}).items():
        if REDACTOR.text(value) != value:
            msg = f"the value of {name} holds a secret: nothing was stored; store a key instead"
            raise ValueError(msg)
    return headers


class ConnectionOptions(OptionRules):
    """A connection's options, as a whole: what is missing or null isn't set."""

    headers: Annotated[
        Headers | None,
        AfterValidator(_without_known_secrets),
        Field(description="Sent with each request. They carry no secret."),
    ] = None


class ConnectionRequest(RequestBody):
    """A connection's values. A missing field changes nothing; null restores the boot default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "openai",
                    "base_url": "https://soc-eu.openai.azure.com/openai/v1",
                    "model": "gpt-5-soc",
                    "max_tlp": "AMBER",
                }
            ]
        },
    )

    provider: Annotated[Provider, Field(description="The kind of provider it leads to.")]
    model: Name | None = None
    orchestrator_model: Name | None = None
    base_url: Address | None = None
    api_key: Key | None = Field(None, json_schema_extra={"writeOnly": True})
    max_tlp: Tlp | None = None
    options: ConnectionOptions | None = None

    @model_validator(mode="after")
    def _no_key_in_headers(self) -> Self:
        """Refuse the new key in a header: the process doesn't know it yet."""
        headers = (self.options and self.options.headers) or {}
        key = self.api_key and self.api_key.get_secret_value()
        if key and any(key in value for value in headers.values()):
            msg = "options.headers hold the key: nothing was stored; api_key alone keeps it secret"
            raise ValueError(msg)
        return self

    def as_details(self) -> dict[str, Any]:
        """Return what was sent, for the audit log, without the key."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"api_key"})


class TestRequest(RequestBody):
    """What to test: a connection as it is, or with values that aren't saved.

    A missing field is as it is saved; null is the boot default. Nothing of it is stored.
    """

    __test__ = False  # not a test class, despite its name

    role: Role = "specialist"
    model: Name | None = None
    orchestrator_model: Name | None = None
    base_url: Address | None = None
    api_key: Key | None = Field(None, json_schema_extra={"writeOnly": True})

    @property
    def is_of_unsaved(self) -> bool:
        """Whether anything but the role was sent."""
        return bool(self.model_fields_set - {"role"})


class ListRequest(RequestBody):
    """With which values to ask for models. Nothing of it is stored.

    A missing field is as it is saved; null is the boot default.
    """

    provider: Annotated[
        Provider | None,
        Field(description="What a connection leads to that doesn't exist yet."),
    ] = None
    base_url: Address | None = None
    api_key: Key | None = Field(None, json_schema_extra={"writeOnly": True})


class AssignmentRequest(RequestBody):
    """A connection, one of its models, and who is asked after it.

    Without a model, it is the one it has for the role; without fallbacks, they are the policy's.
    """

    connection: Connection
    model: Name | None = None
    fallbacks: Fallbacks | None = None

    def as_assignment(self) -> Assignment:
        """Return it as it is stored."""
        return Assignment(self.connection, self.model, self.fallbacks)


class AssignmentsRequest(RequestBody):
    """Who uses what. Whoever is missing keeps theirs; null goes back to the active connection."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "roles": {"orchestrator": {"connection": "openai", "model": "gpt-5"}},
                    "agents": {"malware-analyst": {"connection": "vllm-lab"}},
                }
            ]
        },
    )

    roles: dict[Role, AssignmentRequest | None] = Field({})
    agents: dict[AgentName, AssignmentRequest | None] = Field({}, max_length=MAX_ASSIGNED)

    @property
    def assigned(self) -> list[Assignment]:
        """The assignments that were sent."""
        sent = (*self.roles.values(), *self.agents.values())
        return [one.as_assignment() for one in sent if one is not None]


class RollbackKey(RequestBody):
    """A key for the address that a connection goes back to."""

    connection: Connection
    api_key: Key = Field(json_schema_extra={"writeOnly": True})


class PolicyRequest(RequestBody):
    """A change of policy. A missing field changes nothing; null restores the boot default."""

    hosted_max_tlp: Tlp | None = None
    local_backend: Connection | None = None
    require_tlp: bool | None = None
    fallbacks: Fallbacks | None = None
    on_refusal: OnRefusal | None = None


def _plain_reason(reason: str) -> str:
    """Refuse what doesn't print on one line, and a key: everybody reads it, and it is logged."""
    secret = REDACTOR.text(reason) != reason or any(map(names_a_key, reason.split()))
    if secret or not reason.isprintable():
        msg = "must be one line of printable text, and hold no secret"
        raise ValueError(msg)
    return reason


class HostedTrafficRequest(RequestBody):
    """Whether hosted providers may be called. To allow it again needs a reason."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"state": "stopped", "reason": "breach at a vendor"}]},
    )

    state: HostedState
    reason: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=MAX_REASON, strip_whitespace=True),
            AfterValidator(_plain_reason),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _says_why_allowed(self) -> Self:
        if self.state == "allowed" and self.reason is None:
            msg = "reason is needed to allow hosted traffic again"
            raise ValueError(msg)
        return self


class PlannedCeiling(RequestBody):
    """A connection's ceiling as it would be; one that doesn't exist yet has a provider, too."""

    max_tlp: Tlp | None
    provider: Annotated[
        Provider | None, Field(description="Of a connection that would be added.")
    ] = None


class PlannedRequest(RequestBody):
    """What a change would set, as its own call takes it; a missing part stays as it is."""

    provider: Connection | None = None
    policy: PolicyRequest | None = None
    assignments: AssignmentsRequest | None = None
    connections: dict[Connection, PlannedCeiling] = Field({}, max_length=MAX_NAMED)
