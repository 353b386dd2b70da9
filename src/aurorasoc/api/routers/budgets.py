"""`/system/llm/budgets`: what may be spent, and how it stands."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aurorasoc.api.changes import make_change
from aurorasoc.api.deps import AgentsReader, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.llm.budgets.view import BudgetsView
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.mutations import MutationAnswer

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)


@router.get("/budgets", responses=documented(401, 403, 422, 503))
async def read_budgets(
    _caller: AgentsReader, runtime: OpenRuntime, response: Response
) -> BudgetsView:
    """List the limits in force, what is spent of each, and when it begins anew."""
    budgets = await runtime.admin.budgets()
    response.headers["ETag"] = f'"{budgets.revision}"'
    return budgets


@router.put("/budgets", responses=documented(401, 403, 409, 412, 422, 503))
async def put_budgets(
    body: BudgetsRequest, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> MutationAnswer:
    """Replace all limits. A soft one warns once a period; a hard one refuses calls beyond it."""
    return await make_change(set_budgets(body), caller, runtime, terms)
