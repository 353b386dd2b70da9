"""Request bodies about machine clients."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from aurorasoc.config.clients import is_client_name
from aurorasoc.config.vocabulary import TlpLabel
from aurorasoc.core.bodies import RequestBody
from aurorasoc.llm.changes.budget_requests import BudgetRequest
from aurorasoc.llm.changes.fields import refuse_secret

MAX_GRACE: Final = 30 * 24 * 3600
"""The longest time of grace for an old secret, in seconds."""


def _client_name(name: str) -> str:
    """Refuse what no client is called, in words: pydantic's would be a pattern."""
    if not is_client_name(name):
        msg = "must be a-z, 0-9 and -, a letter first, 32 characters at most"
        raise ValueError(msg)
    return name


def _as_moment(value: object) -> object:
    """Read a time with its offset, and nothing else: a number could be seconds or milliseconds."""
    moment: object = None
    with suppress(ValueError):
        moment = datetime.fromisoformat(value.upper()) if isinstance(value, str) else value
    if not (isinstance(moment, datetime) and moment.tzinfo):
        msg = "must be a time with its offset, such as 2030-01-01T00:00:00Z"
        raise ValueError(msg)
    return moment


def _to_come(moment: datetime) -> datetime:
    """Refuse an end that has passed: the client could never be used."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        msg = "must be a time in the years 1 to 9999, UTC"
        raise ValueError(msg) from None
    if moment <= datetime.now(UTC):
        msg = "must be in the future"
        raise ValueError(msg)
    return moment


ClientName = Annotated[
    str,
    AfterValidator(_client_name),
    AfterValidator(refuse_secret),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,31}$"}),
]


class ClientRequest(RequestBody):
    """A new machine client."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "case-management", "max_tlp": "AMBER"}]},
    )

    name: ClientName
    max_tlp: Annotated[
        TlpLabel | None,
        Field(description="The most it may send, and the label of what it sends without one."),
    ] = None
    budget: BudgetRequest | None = None
    expires_at: Annotated[
        Annotated[AwareDatetime, BeforeValidator(_as_moment), AfterValidator(_to_come)] | None,
        Field(description="When its secrets stop being valid; null: never."),
    ] = None


class SecretRequest(RequestBody):
    """A new secret for a client. Without grace, the old one ends at once."""

    grace_seconds: Annotated[
        int, Field(ge=0, le=MAX_GRACE, description="How long the old secret stays valid.")
    ] = 0
