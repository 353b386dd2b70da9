"""What every route that changes the configuration does."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from aurorasoc.api.deps import ChangeTerms, UserManager
from aurorasoc.api.rate_limit import limit_tests
from aurorasoc.core.access.principal import Principal
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime


async def verified(
    caller: UserManager,
    verify: Annotated[bool, Query(description="Test first; change nothing if that fails.")] = False,
) -> bool:
    """Read `verify`; a change that is tested counts against the limit of tests.

    Raises:
        RateLimited: The caller has tested too often.
    """
    if verify:
        await limit_tests(caller)
    return verify


Verify = Annotated[bool, Depends(verified)]


async def make_change(
    change: Change,
    caller: Principal,
    runtime: Runtime,
    terms: ChangeTerms,
    *,
    verify: bool = False,
) -> MutationAnswer:
    """Make a change on the caller's terms, and answer what is in force then."""
    changed = await runtime.admin.change(
        change, actor=caller.subject, if_match=terms.if_match, verify=verify
    )
    return await terms.answer(runtime, changed)
