"""What making a client, replacing its secret and revoking it do to what is stored. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from aurorasoc.config.clients import MAX_CLIENTS, digest_of
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.clock import iso
from aurorasoc.errors import Conflict, NotFound
from aurorasoc.llm.adoption.client import ClientKeys
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.adoption.stored_clients import StoredClient
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.plan import Change, Edited

TARGET: Final = "client:"
"""What audit entries about a client have before its name, as entries of its own calls have."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that is being made.

    Attributes:
        secret: The secret itself; it is shown once, and stored as a keyed hash.
        by: Who makes it.
        at_us: When, in microseconds since the epoch.
    """

    secret: str = field(repr=False)
    by: str
    at_us: int

    def in_seconds(self, seconds: float) -> str:
        """Return a moment so long after it is made, ISO 8601 UTC."""
        return iso(self.at_us + round(seconds * 1_000_000))


def create_client(requested: ClientRequest, new: NewSecret, keys: ClientKeys) -> Change:
    """Make a client.

    Args:
        requested: What it is called, and may do.
        new: Its secret.
        keys: Provide the key of the hash.

    Raises:
        Conflict: When it is planned: there is one of that name, or there are too many.
    """
    expires_at = None if requested.expires_at is None else _iso(requested.expires_at)
    budget = None if requested.budget is None else requested.budget.as_budget()

    def edit(before: Stored) -> Edited:
        clients = before.config.clients
        if requested.name in clients:
            detail = f"There is a client {requested.name} already. Make a new secret for it."
            raise Conflict(detail)
        if len(clients) >= MAX_CLIENTS:
            detail = f"{MAX_CLIENTS} clients exist already. Revoke one that nobody uses."
            raise Conflict(detail)
        key = keys.for_new(clients)
        stored = StoredClient(
            created_at=iso(new.at_us),
            created_by=new.by,
            secret_at=iso(new.at_us),
            max_tlp=requested.max_tlp,
            expires_at=expires_at,
            budget=budget,
            token=key.token,
            digest=digest_of(key.key, new.secret),
        )
        details = {
            "max_tlp": requested.max_tlp,
            "expires_at": expires_at,
            "budget": budget and asdict(budget),
        }
        after = {**clients, requested.name: stored.authenticated(requested.name, key.key)}
        return Edited(replace(before.config, clients=after), details=details)

    return Change(Action.CLIENT_CREATED, TARGET + requested.name, edit)


def replace_secret(name: str, new: NewSecret, keys: ClientKeys, *, grace: float) -> Change:
    """Replace a client's secret. The one before it ends at once.

    Args:
        name: The client's name.
        new: Its new secret.
        keys: Open the key of the hash.
        grace: Seconds for which the present secret stays valid.

    Raises:
        NotFound: When it is planned: there is no such client.
        Conflict: When it is planned: its row can't be read here.
    """
    old_until = new.in_seconds(grace) if grace > 0 else None

    def edit(before: Stored) -> Edited:
        present = _required(before, name)
        key = keys.opened(present.token)
        if key is None or before.snapshot.clients[name].problem is not None:
            detail = (
                f"The client {name} can't be read here: restore the seed that its key was sealed "
                "under, or revoke it and make it again."
            )
            raise Conflict(detail)
        stored = replace(
            present,
            secret_at=iso(new.at_us),
            digest=digest_of(key, new.secret),
            old_digest=present.digest if old_until else None,
            old_until=old_until,
        )
        after = {**before.config.clients, name: stored.authenticated(name, key)}
        details = {"old_secret_until": old_until}
        return Edited(replace(before.config, clients=after), details=details)

    return Change(Action.CLIENT_SECRET_REPLACED, TARGET + name, edit)


def revoke_client(name: str) -> Change:
    """Remove a client, whether it can be read or not: none of its secrets is valid then.

    Raises:
        NotFound: When it is planned: there is no such client.
    """

    def edit(before: Stored) -> Edited:
        _required(before, name)
        others = {other: its for other, its in before.config.clients.items() if other != name}
        return Edited(replace(before.config, clients=others))

    return Change(Action.CLIENT_REVOKED, TARGET + name, edit)


def _required(before: Stored, name: str) -> StoredClient:
    client = before.config.clients.get(name)
    if client is None:
        detail = "There is no such client. `aurorasoc clients list` names all of them."
        raise NotFound(detail)
    return client


def _iso(moment: datetime) -> str:
    return iso((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
