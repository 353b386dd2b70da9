"""`/system/llm`: the inventory, and what an admin changes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from aurorasoc.api.deps import AgentsReader, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.api.rate_limit import limit_tests
from aurorasoc.api.schemas import (
    ConfigBody,
    Inventory,
    KeyBody,
    ModelsAnswer,
    MutationAnswer,
    PolicyBody,
    TestAnswer,
    TestBody,
)
from aurorasoc.llm.models.model_lists import ModelList
from aurorasoc.llm.models.test_call import ProbeResult

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)

Verify = Annotated[bool, Query(description="Test first; change nothing if that fails.")]

_READ = documented(401, 403, 422, 503)
_CHANGE = documented(401, 403, 404, 409, 412, 422, 503)
_VERIFIED = documented(401, 403, 409, 412, 422, 429, 502, 503, 504)
_LIST = documented(401, 403, 404, 409, 422, 502, 503, 504)
_TEST = documented(401, 403, 404, 409, 422, 429, 503)


@router.get("/providers", response_model=Inventory, responses=_READ)
async def read_inventory(
    _caller: AgentsReader, runtime: OpenRuntime, response: Response
) -> dict[str, Any]:
    """List all providers, the active backend, the policy, and where each value comes from."""
    found = await runtime.admin.inventory()
    response.headers["ETag"] = f'"{found["revision"]}"'
    return found


@router.put("/config", response_model=MutationAnswer, responses=_VERIFIED)
async def switch(
    body: ConfigBody,
    caller: UserManager,
    runtime: OpenRuntime,
    terms: Terms,
    verify: Verify = False,
) -> dict[str, Any]:
    """Make a provider active, and configure it on the way.

    A field left out is unchanged, null is back to the boot default. A provider that wouldn't be
    ready is refused, and nothing changes.
    """
    if verify:
        await limit_tests(caller)
    changed = await runtime.admin.switch(
        body.configuration(), actor=caller.subject, if_match=terms.if_match, verify=verify
    )
    return await terms.answer(runtime, changed)


@router.delete("/config", response_model=MutationAnswer, responses=_CHANGE)
async def reset(caller: UserManager, runtime: OpenRuntime, terms: Terms) -> dict[str, Any]:
    """Go back to the boot defaults. Keys and policy stay."""
    changed = await runtime.admin.reset(actor=caller.subject, if_match=terms.if_match)
    return await terms.answer(runtime, changed)


@router.put("/providers/{provider}/key", response_model=MutationAnswer, responses=_CHANGE)
async def set_key(
    provider: str, body: KeyBody, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> dict[str, Any]:
    """Store a key. It belongs to the origin that the provider's base URL leads to now."""
    changed = await runtime.admin.set_key(
        provider, body.api_key, actor=caller.subject, if_match=terms.if_match
    )
    return await terms.answer(runtime, changed)


@router.delete("/providers/{provider}/key", response_model=MutationAnswer, responses=_CHANGE)
async def delete_key(
    provider: str, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> dict[str, Any]:
    """Remove the stored key. One from the environment, if there is one, is in force again."""
    changed = await runtime.admin.delete_key(
        provider, actor=caller.subject, if_match=terms.if_match
    )
    return await terms.answer(runtime, changed)


@router.get("/providers/{provider}/models", response_model=ModelsAnswer, responses=_LIST)
async def list_models(provider: str, _caller: AgentsReader, runtime: OpenRuntime) -> ModelList:
    """List the models that the provider itself lists; kept for a minute."""
    return await runtime.admin.models(provider)


@router.put("/policy", response_model=MutationAnswer, responses=_CHANGE)
async def set_policy(
    body: PolicyBody, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> dict[str, Any]:
    """Change which labels may go to hosted providers, and which local backend serves the rest."""
    changed = await runtime.admin.set_policy(
        body.change(), actor=caller.subject, if_match=terms.if_match
    )
    return await terms.answer(runtime, changed)


@router.post(
    "/providers/{provider}/test",
    response_model=TestAnswer,
    responses=_TEST,
    dependencies=[Depends(limit_tests)],
)
async def probe_provider(
    provider: str, caller: UserManager, runtime: OpenRuntime, body: TestBody | None = None
) -> ProbeResult:
    """Ask the provider's model for a word, on the very path that production uses."""
    role = (body or TestBody()).role
    return await runtime.admin.test(provider, role=role, actor=caller.subject)
