"""`/system/llm`: named connections, who uses which, and where a label may go."""

from __future__ import annotations

from fastapi import APIRouter

from aurorasoc.api.changes import Verify, make_change
from aurorasoc.api.deps import AgentsReader, Named, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.api.schemas import AddressBody, AddressView, ExplainBody
from aurorasoc.granite.base_url import called_url, normalise_base_url
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.explain import Explanation
from aurorasoc.llm.changes import connection_edits
from aurorasoc.llm.changes.requests import (
    AssignmentsRequest,
    ConnectionRequest,
    HostedTrafficRequest,
)
from aurorasoc.llm.mutations import MutationAnswer

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)

_PUT = documented(401, 403, 409, 412, 422, 429, 502, 503, 504)
_DELETE = documented(401, 403, 404, 409, 412, 422, 503)
_ADDRESS = documented(401, 403, 422, 503)
_ASSIGN = documented(401, 403, 409, 412, 422, 503)
_STOP = documented(401, 403, 412, 422, 503)
_EXPLAIN = documented(401, 403, 409, 422, 503)


@router.put("/connections/{name}", responses=_PUT)
async def put_connection(  # noqa: PLR0913 - path, body, caller, runtime, terms and verification
    name: Named,
    body: ConnectionRequest,
    *,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    verify: Verify,
) -> MutationAnswer:
    """Create a connection, or change it, without switching to it.

    A missing field changes nothing; null restores the boot default. The provider of one that
    exists can't be changed.
    """
    changed = await runtime.admin.put_connection(
        name, body, actor=caller.subject, if_match=terms.if_match, verify=verify
    )
    return await terms.answer(runtime, changed)


@router.delete("/connections/{name}", responses=_DELETE)
async def delete_connection(
    name: Named, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Remove a connection that was made at runtime, and its stored key. Nobody may use it."""
    change = connection_edits.delete_connection(runtime.settings, name)
    return await make_change(change, caller, runtime, terms)


@router.post("/address", responses=_ADDRESS)
async def read_address(body: AddressBody, _caller: AgentsReader) -> AddressView:
    """Say how an address is understood, and where calls will go. Nothing is called or stored."""
    spec = CATALOG[body.provider]
    base_url = normalise_base_url(spec, body.base_url)
    return AddressView(base_url=base_url, calls_to=called_url(spec, base_url))


@router.put("/assignments", responses=_ASSIGN)
async def assign(
    body: AssignmentsRequest, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Change which connection and model roles and agents use.

    Whoever is missing keeps theirs; null goes back to the active connection.
    """
    return await make_change(connection_edits.assign(body), caller, runtime, terms)


@router.put("/hosted-traffic", responses=_STOP)
async def set_hosted_traffic(
    body: HostedTrafficRequest, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Stop all traffic to hosted providers at once, or allow it again.

    A stop ends calls under way, in every process, and holds for unlabelled data too.
    """
    changed = await runtime.admin.set_hosted_traffic(
        body, actor=caller.subject, if_match=terms.if_match
    )
    return await terms.answer(runtime, changed)


@router.post("/policy/explain", responses=_EXPLAIN)
async def explain_policy(
    body: ExplainBody, _caller: AgentsReader, runtime: OpenRuntime
) -> Explanation:
    """Say who answers a label, who is asked after a failure, and why. Nobody is called.

    With `planned`, it is said of the configuration as it would be; nothing is changed.
    """
    return await runtime.admin.explain(
        body.tlp, role=body.role, agent=body.agent, planned=body.planned
    )
