"""Secrets of machine clients: make one, and read one into a Principal. Only the door takes them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aurorasoc.core.access.permissions import Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.errors import Unauthenticated

if TYPE_CHECKING:
    from aurorasoc.config.snapshot import Snapshot

CLIENT_PREFIX: Final = "aur_"
CLIENT_SUBJECT: Final = "client:"
"""What the audit log's name of a client begins with. No JWT may name such a subject."""

_SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(r"aur_[A-Za-z0-9_-]{43}")
_GRANTED: Final = frozenset({Permission.ALERTS_INVESTIGATE})

_REFUSED: Final = (
    "The client's secret is not valid here, or has expired. An admin can make a new one."
)


def make_secret() -> str:
    """Return a new secret: `aur_`, and 32 random bytes in URL-safe base64."""
    return CLIENT_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def is_client_secret(bearer: str) -> bool:
    """Whether a bearer token claims to be a client's secret; no JWT begins so."""
    return bearer.startswith(CLIENT_PREFIX)


def client_principal(secret: str, snapshot: Snapshot, *, now: datetime | None = None) -> Principal:
    """Return the client that a secret belongs to, from memory alone.

    Args:
        secret: What was sent.
        snapshot: The configuration in force.
        now: The present moment; None asks the clock.

    Raises:
        Unauthenticated: No client has this secret, or it has expired. The message doesn't say
            which, but its `reason` does.
    """
    match = snapshot.clients.find(secret) if _SECRET.fullmatch(secret) else None
    if match is None:
        raise Unauthenticated(_REFUSED, reason=_why_unknown(secret, snapshot))
    client = match.client
    if match.until is not None and match.until <= (now or datetime.now(UTC)):
        what = "the old secret's time of grace" if match.is_old else "expires_at"
        reason = f"{what} of the client {client.name} has passed"
        raise Unauthenticated(_REFUSED, reason=reason)
    return Principal(
        f"{CLIENT_SUBJECT}{client.name}",
        roles=frozenset(),
        permissions=_GRANTED,
        expires_at=match.until,
        client=client.name,
        max_tlp=client.max_tlp,
    )


def refuse_client_secret() -> Unauthenticated:
    """Return the refusal of a client's secret where only people and services call."""
    detail = (
        "A client's secret is accepted by the door alone: POST /v1/chat/completions and "
        "GET /v1/models. Send a JWT here."
    )
    return Unauthenticated(detail, reason="a client's secret was sent to another call")


def _why_unknown(secret: str, snapshot: Snapshot) -> str:
    if not _SECRET.fullmatch(secret):
        return "no secret of a client has this form"
    unusable = sum(client.problem is not None for client in snapshot.clients.values())
    if unusable:
        return f"no client that can be read here has this secret; {unusable} can't be read"
    return "no client has this secret: it is wrong, or was revoked"
