"""Dependencies of routes, as Annotated aliases: a route's signature shows its authorisation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Query, Request
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import BeforeValidator

from aurorasoc.core.access.acting import act_for
from aurorasoc.core.access.permissions import Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import decode_token
from aurorasoc.errors import (
    InvalidInput,
    PermissionDenied,
    Unauthenticated,
)
from aurorasoc.llm.changes.fields import as_name
from aurorasoc.llm.fleet.registry import FleetAdoption
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime, current_runtime

CALLER: Final = "aurorasoc.caller"
"""The key of the authenticated caller in a request's scope."""

_bearer = HTTPBearer(auto_error=False, description="A JWT with sub, exp and roles.")
_ETAG = re.compile(r'\s*"?(\d{1,18})"?\s*')


async def open_runtime_of_process() -> Runtime:
    """Return the runtime that this process has open."""
    return current_runtime()


OpenRuntime = Annotated[Runtime, Depends(open_runtime_of_process)]


async def bearer_of(request: Request) -> str | None:
    """Return what stands after `Bearer`; None: nothing does."""
    bearer = await _bearer(request)
    return None if bearer is None else bearer.credentials


async def authenticated(request: Request) -> Principal:
    """Return the caller that the bearer token names. A host platform may bring its own.

    Raises:
        Unauthenticated: There is no token, or it isn't valid.
    """
    runtime = current_runtime()
    bearer = await bearer_of(request)
    if bearer is None:
        detail = "Send a bearer token: Authorization: Bearer <token>."
        raise Unauthenticated(detail, reason="no token was sent")
    return decode_token(bearer, runtime.settings.security)


class Require(SecurityBase):
    """A dependency that returns the caller if they hold a permission; refusals are audited.

    The route authenticated the caller before it read the body. As a security scheme, this
    describes itself in OpenAPI: FastAPI has no further dependency to solve for each request.
    """

    def __init__(self, permission: Permission) -> None:
        self.model = _bearer.model
        self.scheme_name = _bearer.scheme_name
        self._permission = permission

    async def __call__(self, request: Request) -> Principal:
        """Return the caller.

        Raises:
            PermissionDenied: They don't hold the permission.
        """
        caller = cast("Principal", request.scope[CALLER])
        if caller.may(self._permission):
            act_for(caller)
            return caller
        denials = current_runtime().denials
        await denials.record(caller.subject, _target(request), self._permission)
        detail = f"This needs the permission {self._permission}."
        raise PermissionDenied(detail)


AgentsReader = Annotated[Principal, Depends(Require(Permission.AGENTS_READ))]
AuditReader = Annotated[Principal, Depends(Require(Permission.AUDIT_READ))]
DoorCaller = Annotated[Principal, Depends(Require(Permission.ALERTS_INVESTIGATE))]
Investigator = Annotated[Principal, Depends(Require(Permission.ALERTS_INVESTIGATE))]
UserManager = Annotated[Principal, Depends(Require(Permission.USERS_MANAGE))]


async def if_match(
    header: Annotated[
        str | None,
        Header(alias="If-Match", description='The revision this is based on, e.g. "7".'),
    ] = None,
) -> int | None:
    """Read `If-Match` (RFC 9110 §13.1.1); `*` and a missing header accept every revision.

    Raises:
        InvalidInput: It isn't a revision.
    """
    if header is None or header.strip() == "*":
        return None
    match = _ETAG.fullmatch(header)
    if match is None:
        detail = 'If-Match takes the revision from the ETag, e.g. "7".'
        raise InvalidInput(detail)
    return int(match[1])


@dataclass(frozen=True, slots=True)
class ChangeTerms:
    """The revision that a change is based on, and how long to wait for the other processes."""

    if_match: int | None
    wait: float | None

    async def adoption_of(self, runtime: Runtime, revision: int) -> FleetAdoption | None:
        """Return who has adopted a revision; None if nobody asks."""
        if self.wait is None:
            return None
        return await runtime.fleet.adoption_of(revision, self.wait, runtime.instance)

    async def answer(self, runtime: Runtime, changed: MutationAnswer) -> MutationAnswer:
        """Add to a change's answer who has adopted it, if that was requested."""
        return await runtime.with_adoption(changed, self.wait)


async def change_terms(
    match: Annotated[int | None, Depends(if_match)],
    wait: Annotated[
        float | None,
        Query(ge=0, le=60, description="Seconds to wait until all live processes have adopted."),
    ] = None,
) -> ChangeTerms:
    """Read `If-Match` and `wait`."""
    return ChangeTerms(match, wait)


Named = Annotated[str, BeforeValidator(as_name)]
"""A connection's name in a path."""

Terms = Annotated[ChangeTerms, Depends(change_terms)]


def _target(request: Request) -> str:
    """Return the method and the route, without anything that was sent."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', '')}"
