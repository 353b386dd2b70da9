"""A budget as request bodies have it: of a limit, or of a client that is made with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from aurorasoc.config.budgets import MICROS, MOST_MICROS, MOST_TOKENS, Budget, Period
from aurorasoc.core.bodies import RequestBody

_PLACES: Final = 6
"""Of a decimal amount of dollars: a micro-USD is the smallest."""


def _as_decimal(value: object) -> object:
    """Take a JSON number as it is written: 0.1 is no binary fraction here. A text is no number."""
    if isinstance(value, bool | str):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports no other
    return Decimal(repr(value)) if isinstance(value, float) else value


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
    hard: Annotated[bool, Field(strict=True, description="Refuse calls beyond it; else warn once.")]

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
