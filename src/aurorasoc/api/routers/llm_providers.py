"""`/system/llm`: the inventory, and an admin's changes."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from aurorasoc.api.changes import Verify, make_change
from aurorasoc.api.deps import AgentsReader, Named, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.api.rate_limit import limit_tests
from aurorasoc.llm.changes import edits, key_edits
from aurorasoc.llm.changes.previews import Preview
from aurorasoc.llm.changes.requests import (
    ConfigRequest,
    KeyRequest,
    ListRequest,
    PolicyRequest,
    TestRequest,
)
from aurorasoc.llm.inventory import Inventory
from aurorasoc.llm.models.model_lists import ModelList
from aurorasoc.llm.models.test_call import CallTest
from aurorasoc.llm.mutations import MutationAnswer

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)


_READ = documented(401, 403, 422, 503)
_CHANGE = documented(401, 403, 404, 409, 412, 422, 503)
_SWITCH = documented(401, 403, 409, 412, 422, 429, 502, 503, 504)
_RESET = documented(401, 403, 409, 412, 422, 429, 502, 503, 504)
_SET_KEY = documented(401, 403, 404, 409, 412, 422, 429, 502, 503, 504)
_LIST = documented(401, 403, 404, 409, 422, 502, 503, 504)
_LIST_UNSAVED = documented(401, 403, 404, 409, 422, 429, 502, 503, 504)
_TEST = documented(401, 403, 404, 409, 422, 429, 503)


@router.get("/providers", responses=_READ)
async def read_inventory(
    _caller: AgentsReader, runtime: OpenRuntime, response: Response
) -> Inventory:
    """List all providers, the active backend, the policy, and where each value comes from."""
    inventory = await runtime.admin.inventory()
    response.headers["ETag"] = f'"{inventory.revision}"'
    return inventory


@router.put("/config", responses=_SWITCH)
async def switch(
    body: ConfigRequest,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    verify: Verify,
) -> MutationAnswer:
    """Make a provider active and configure it.

    A missing field changes nothing; null restores the boot default. A provider that wouldn't be
    ready is refused, and nothing changes.
    """
    changed = await runtime.admin.switch(
        body, actor=caller.subject, if_match=terms.if_match, verify=verify
    )
    return await terms.answer(runtime, changed)


@router.delete("/config", responses=_RESET)
async def reset(
    caller: UserManager, runtime: OpenRuntime, terms: Terms, verify: Verify
) -> MutationAnswer:
    """Go back to the boot defaults. Keys and policy stay."""
    return await make_change(edits.reset(), caller, runtime, terms, verify=verify)


@router.get("/config/reset", responses=_READ)
async def preview_reset(_caller: AgentsReader, runtime: OpenRuntime) -> Preview:
    """Show what a reset would change of what is in force, and which keys it would need."""
    return await runtime.admin.preview_reset()


@router.put("/providers/{provider}/key", responses=_SET_KEY)
async def set_key(  # noqa: PLR0913 - path, body, caller, runtime, terms and verification
    provider: Named,
    body: KeyRequest,
    *,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    verify: Verify,
) -> MutationAnswer:
    """Store a key. It belongs to the origin that the provider's base URL leads to now."""
    change = key_edits.set_key(provider, body.api_key)
    return await make_change(change, caller, runtime, terms, verify=verify)


@router.delete("/providers/{provider}/key", responses=_CHANGE)
async def delete_key(
    provider: Named, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Remove the stored key. A key from the environment, if set, applies again."""
    return await make_change(key_edits.delete_key(provider), caller, runtime, terms)


@router.get("/providers/{provider}/models", responses=_LIST)
async def list_models(provider: Named, _caller: AgentsReader, runtime: OpenRuntime) -> ModelList:
    """List the provider's models, as the provider does; cached for a minute."""
    return await runtime.admin.models(provider)


@router.post(
    "/providers/{provider}/models",
    responses=_LIST_UNSAVED,
    dependencies=[Depends(limit_tests)],
)
async def list_models_unsaved(
    provider: Named, caller: UserManager, runtime: OpenRuntime, body: ListRequest
) -> ModelList:
    """List the models with an address and a key that aren't saved; nothing of them is stored.

    With `provider` in the body, the connection need not exist yet. Audited as a test.
    """
    return await runtime.admin.models_unsaved(provider, body, actor=caller.subject)


@router.put("/policy", responses=_CHANGE)
async def set_policy(
    body: PolicyRequest, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Change which labels may go to hosted providers, and which local backend serves the rest."""
    return await make_change(edits.set_policy(body), caller, runtime, terms)


@router.post(
    "/providers/{provider}/test",
    responses=_TEST,
    dependencies=[Depends(limit_tests)],
)
async def test_provider(
    provider: Named, caller: UserManager, runtime: OpenRuntime, body: TestRequest | None = None
) -> CallTest:
    """Send a one-word prompt to a connection's model, over the production path.

    With a model, an address or a key, it is tested with these; nothing of them is saved.
    """
    body = body or TestRequest()
    if body.is_of_unsaved:
        return await runtime.admin.test_unsaved(provider, body, actor=caller.subject)
    return await runtime.admin.test(provider, role=body.role, actor=caller.subject)
