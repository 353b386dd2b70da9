"""Machine clients of the door, as an admin sees and changes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from aurorasoc.config.budgets import Budget, Period, usd
from aurorasoc.config.clients import ClientConfig
from aurorasoc.config.snapshot import Problem, Snapshot
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.client_secrets import make_secret
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import Clock, iso, iso_of, now_us
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.client import problem_of
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.client_edits import (
    NewSecret,
    create_client,
    replace_secret,
    revoke_client,
)
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.fleet.client_uses import ClientUses
from aurorasoc.llm.fleet.registry import FleetAdoption

Adopted = Annotated[FleetAdoption | None, Field(exclude_if=lambda adoption: adoption is None)]


@dataclass(frozen=True, slots=True)
class ClientBudgetView:
    """What a client may spend; money in US dollars."""

    per: Period
    tokens: int | None
    money: float | None
    hard: bool


@dataclass(frozen=True, slots=True)
class ClientView:
    """One machine client, never with its secret.

    Attributes:
        max_tlp: The most it may send, and the label of what it sends without one.
        secret_made_at: When its present secret was made.
        old_secret_until: When the one before stops being valid, or did; null: there is none.
        last_used_at: When it last called, as far as processes have reported.
        problem: Why its secret is refused in the process that answers; null: it isn't.
    """

    name: str
    max_tlp: Tlp | None
    budget: ClientBudgetView | None
    expires_at: str | None
    created_at: str | None
    created_by: str | None
    secret_made_at: str | None
    old_secret_until: str | None
    last_used_at: str | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class ClientList:
    """All machine clients, by name."""

    __pydantic_config__: ClassVar = DEFERRED

    revision: int
    clients: list[ClientView]


@dataclass(frozen=True, slots=True)
class ClientSecretAnswer(ClientView):
    """A client with its new secret, which is never shown again. `adoption` only if requested."""

    __pydantic_config__: ClassVar = DEFERRED

    secret: Annotated[str, Field(examples=["aur_…"], repr=False)]
    revision: int
    adoption: Adopted = None


@dataclass(frozen=True, slots=True)
class ClientRevoked:
    """The client that was revoked. `adoption` only if it was requested."""

    __pydantic_config__: ClassVar = DEFERRED

    name: str
    revision: int
    adoption: Adopted = None


@dataclass(frozen=True, slots=True)
class ClientAdmin:
    """What an admin can do with machine clients. Every change names its actor."""

    adoption: Adoption
    changer: Changer
    uses: ClientUses
    clock: Clock = now_us

    async def list(self) -> ClientList:
        """Return all clients, from memory; when each was last used, as the database says."""
        snapshot, used = self.adoption.snapshot, await self.uses.last()
        clients = [
            client_view(config, used.get((name, config.created_at)))
            for name, config in sorted(snapshot.clients.items())
        ]
        return ClientList(snapshot.revision, clients)

    async def create(
        self, requested: ClientRequest, *, actor: str, if_match: int | None = None
    ) -> ClientSecretAnswer:
        """Make a client, and return its secret.

        Raises:
            Conflict, RevisionMismatch, Unavailable: Nothing was changed.
        """
        new = self._new_secret(actor)
        change = create_client(requested, new, self.adoption.client_keys)
        snapshot = await self._change(change, actor, if_match)
        return _with_secret(snapshot, requested.name, new, None)

    async def replace_secret(
        self, name: str, *, grace: float = 0, actor: str, if_match: int | None = None
    ) -> ClientSecretAnswer:
        """Replace a client's secret, and return it; the old one is valid for the time of grace.

        Raises:
            NotFound, Conflict, RevisionMismatch, Unavailable: Nothing was changed.
        """
        new = self._new_secret(actor)
        change = replace_secret(name, new, self.adoption.client_keys, grace=grace)
        snapshot = await self._change(change, actor, if_match)
        used = await self.uses.last()
        last_used_us = used.get((name, snapshot.clients[name].created_at))
        return _with_secret(snapshot, name, new, last_used_us)

    async def revoke(self, name: str, *, actor: str, if_match: int | None = None) -> ClientRevoked:
        """Remove a client: every process refuses its secrets as soon as it has adopted that.

        Raises:
            NotFound, RevisionMismatch, Unavailable: Nothing was changed.
        """
        snapshot = await self._change(revoke_client(name), actor, if_match)
        return ClientRevoked(name, snapshot.revision)

    async def _change(self, change: Change, actor: str, if_match: int | None) -> Snapshot:
        try:
            applied = await self.changer.apply(change, actor=actor, if_match=if_match)
        except DatabaseUnavailable:
            self.adoption.mark_stale()
            raise
        return applied.snapshot

    def _new_secret(self, actor: str) -> NewSecret:
        return NewSecret(make_secret(), actor, self.clock())


def client_view(config: ClientConfig, last_used_us: int | None) -> ClientView:
    """Return a client as it is shown; of one that can't be read, nothing but its name."""
    problem = None if config.problem is None else problem_of(config.problem)
    return ClientView(
        name=config.name,
        max_tlp=config.max_tlp,
        budget=_budget_view(config.budget),
        expires_at=_shown(config.expires_at),
        created_at=config.created_at or None,
        created_by=config.created_by or None,
        secret_made_at=config.secret_at or None,
        old_secret_until=_shown(config.old_until),
        last_used_at=iso(last_used_us),
        problem=problem,
    )


def _budget_view(budget: Budget | None) -> ClientBudgetView | None:
    if budget is None:
        return None
    return ClientBudgetView(budget.per, budget.tokens, usd(budget.money), budget.hard)


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else iso_of(moment)


def _with_secret(
    snapshot: Snapshot, name: str, new: NewSecret, last_used_us: int | None
) -> ClientSecretAnswer:
    view = client_view(snapshot.clients[name], last_used_us)
    shown: dict[str, Any] = {one.name: getattr(view, one.name) for one in fields(view)}
    return ClientSecretAnswer(**shown, secret=new.secret, revision=snapshot.revision)
