"""`/clients`: machine clients of the door."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Response

from aurorasoc.api.deps import OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.llm.changes.client_requests import ClientRequest, SecretRequest
from aurorasoc.llm.clients import ClientList, ClientRevoked, ClientSecretAnswer

router = APIRouter(prefix="/clients", tags=["clients"], route_class=ProblemRoute)

_NEVER_KEPT: Final = {"Cache-Control": "no-store"}
"""Answers that hold a secret (RFC 9111 §5.2.2.5)."""


@router.get("", responses=documented(401, 403, 422, 503))
async def list_clients(_caller: UserManager, runtime: OpenRuntime) -> ClientList:
    """List all machine clients, and when each was last used. No secret is shown."""
    return await runtime.clients.list()


@router.post("", status_code=201, responses=documented(401, 403, 409, 412, 422, 503))
async def create_client(
    body: ClientRequest,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    response: Response,
) -> ClientSecretAnswer:
    """Make a machine client. This answer alone holds its secret."""
    made = await runtime.clients.create(body, actor=caller.subject, if_match=terms.if_match)
    response.headers.update(_NEVER_KEPT)
    return replace(made, adoption=await terms.adoption_of(runtime, made.revision))


@router.post("/{name}/secret", responses=documented(401, 403, 404, 409, 412, 422, 503))
async def replace_secret(  # noqa: PLR0913 - path, body, caller, runtime, terms and headers
    name: str,
    body: SecretRequest,
    *,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    response: Response,
) -> ClientSecretAnswer:
    """Replace a client's secret; the old one stays valid for `grace_seconds`.

    At most two are valid: one that was replaced before ends at once.
    """
    made = await runtime.clients.replace_secret(
        name, grace=body.grace_seconds, actor=caller.subject, if_match=terms.if_match
    )
    response.headers.update(_NEVER_KEPT)
    return replace(made, adoption=await terms.adoption_of(runtime, made.revision))


@router.delete("/{name}", responses=documented(401, 403, 404, 409, 412, 422, 503))
async def revoke_client(
    name: str, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> ClientRevoked:
    """Revoke a client: every process refuses its secrets as soon as it has adopted that."""
    revoked = await runtime.clients.revoke(name, actor=caller.subject, if_match=terms.if_match)
    return replace(revoked, adoption=await terms.adoption_of(runtime, revoked.revision))
