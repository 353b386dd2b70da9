"""What setting budgets does to the stored configuration: a body's limits replace all. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from aurorasoc.config.budgets import MAX_LIMITS, Limit, is_scope
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import EVERYTHING
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.secret_patterns import names_a_key
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.backend_resolution import require_exists
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.budget_requests import BudgetRequest
from aurorasoc.llm.changes.plan import Change, Edited


def _scope(text: str) -> str:
    if names_a_key(text.partition(":")[2] or text) or not is_scope(text):
        msg = "must be connection:NAME, agent:NAME or client:NAME"
        raise ValueError(msg)
    return text


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
