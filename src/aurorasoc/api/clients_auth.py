"""Callers of the door: machine clients by their secrets, everybody else by a JWT."""

from __future__ import annotations

from aurorasoc.core.access.client_secrets import client_principal, is_client_secret
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import decode_token
from aurorasoc.runtime import Runtime


def caller_of_door(bearer: str, runtime: Runtime) -> Principal:
    """Return who calls the door, and note the use of a machine client. It needs no database.

    Args:
        bearer: What stands after `Bearer`.
        runtime: Holds the configuration in force.

    Raises:
        Unauthenticated: It is neither a valid token nor a client's valid secret.
    """
    if not is_client_secret(bearer):
        return decode_token(bearer, runtime.settings.security)
    snapshot = runtime.adoption.snapshot
    caller = client_principal(bearer, snapshot)
    if caller.client is not None:
        runtime.clients.uses.note(caller.client, snapshot.clients[caller.client].created_at)
    return caller
