"""What setting budgets does to the stored configuration: a body's limits replace all. Pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from aurorasoc.config.budgets import (
    MAX_LIMITS,
    MICROS,
    MOST_MICROS,
    MOST_TOKENS,
    Budget,
    Limit,
    Period,
    is_scope,
)
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import EVERYTHING
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.secret_patterns import names_a_key
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.backend_resolution import require_exists
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.plan import Change, Edited

_PLACES: Final = 6
"""Of a decimal amount of dollars: a micro-USD is the smallest."""


def _as_decimal(value: object) -> object:
    """Take a JSON number as it is written: 0.1 is no binary fraction here."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _scope(text: str) -> str:
    if names_a_key(text.partition(":")[2] or text) or not is_scope(text):
        msg = "must be connection:NAME, agent:NAME or client:NAME"
        raise ValueError(msg)
    return text


Money = Annotated[
    Decimal,
    BeforeValidator(_as_decimal),
    Field(gt=0, le=MOST_MICROS // MICROS, decimal_places=_PLACES, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]


class BudgetRequest(RequestBody):
    """What may be spent in a period. Tokens are prompt and completion together; money is in USD."""

    per: Annotated[Period, Field(description="A calendar day or month, UTC.")]
    tokens: Annotated[int | None, Field(ge=1, le=MOST_TOKENS, strict=True)] = None
    money: Annotated[Money | None, Field(description="USD, six decimals at most.")] = None
    hard: Annotated[bool, Field(description="Refuse calls beyond it; else warn once.")]

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.tokens is None and self.money is None:
            msg = "tokens or money is needed"
            raise ValueError(msg)
        return self

    def as_budget(self) -> Budget:
        """Return it as it is stored."""
        money = None if self.money is None else int(self.money * MICROS)
        return Budget(self.per, self.tokens, money, self.hard)


class LimitRequest(BudgetRequest):
    """A budget, and who shares it."""

    scope: Annotated[
        str,
        StringConstraints(max_length=80),
        AfterValidator(_scope),
        Field(examples=["connection:openai", "agent:malware-analyst", "client:soar"]),
    ]

    def as_limit(self) -> Limit:
        """Return it as it is stored."""
        return Limit(self.scope, self.as_budget())


class BudgetsRequest(RequestBody):
    """All limits: they replace those in force. An empty list ends them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "limits": [
                        {"scope": "connection:openai", "per": "month", "money": 200, "hard": True}
                    ]
                }
            ]
        },
    )

    limits: Annotated[list[LimitRequest], Field(max_length=MAX_LIMITS)]

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        if len({one.key for one in self.as_limits()}) < len(self.limits):
            msg = "a scope has one hard and one soft limit a day and a month at most"
            raise ValueError(msg)
        return self

    def as_limits(self) -> tuple[Limit, ...]:
        """Return them as they are stored."""
        return tuple(one.as_limit() for one in self.limits)


def set_budgets(requested: BudgetsRequest) -> Change:
    """Replace all limits.

    Raises:
        InvalidInput: When it is planned: a connection or client doesn't exist.
    """
    limits = requested.as_limits()

    def edit(before: Stored) -> Edited:
        present = {one.scope for one in before.config.budgets}
        for limit in limits:
            if limit.scope not in present:
                _require_known(before.snapshot, limit)
        details = requested.model_dump(mode="json", exclude_none=True)
        return Edited(replace(before.config, budgets=limits), details=details)

    return Change(Action.BUDGETS_CHANGED, EVERYTHING, edit)


def _require_known(snapshot: Snapshot, limit: Limit) -> None:
    """Refuse a new limit of nobody: it would never count. Any name may be an agent's.

    Raises:
        InvalidInput: There is no such connection or client.
    """
    if limit.kind == "connection":
        require_exists(snapshot, limit.name)
    elif limit.kind == "client" and limit.name not in snapshot.clients:
        detail = "There is no such client. GET /clients and `aurorasoc clients list` name them all."
        raise InvalidInput(detail)
