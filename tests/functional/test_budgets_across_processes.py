"""Processes that spend one hard budget at the same time overspend by nothing."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from aurorasoc import open_runtime
from aurorasoc.llm.budgets.view import LimitView
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from tests.examples import settings
from tests.world.canaries import SOAK
from tests.world.databases import DATABASES, ON_BOTH
from tests.world.fixtures import VENDOR_KEYS
from tests.world.forked import Forked
from tests.world.processes import run_together
from tests.world.service import service_env
from tests.world.vendor import VendorServer

PROCESSES: Final = 8 if SOAK else 3
EACH: Final = 500 if SOAK else 40
AT_ONCE: Final = 4
LONGEST: Final = 200
LIMIT: Final = PROCESSES * EACH * LONGEST // 2
CHILD: Final = Path(__file__).parent / "spending_child.py"

pytestmark = ON_BOTH


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    """Run a vendor whose answers are as long as they may be."""
    keys = {"openai": VENDOR_KEYS["openai"]}
    with VendorServer(keys, plays=["openai"], wording=lambda _: "word " * LONGEST) as vendor:
        yield vendor


def _variables(vendor: VendorServer) -> dict[str, str]:
    return {
        "LLM_BACKEND": "openai",
        "LLM_OPENAI_COMPATIBLE_BASE_URL": f"{vendor.url}/v1",
        "LLM_OPENAI_COMPATIBLE_MODEL": "m",
        "LLM_OPENAI_COMPATIBLE_API_KEY": VENDOR_KEYS["openai"],
    }


async def _limit(env: dict[str, str], folder: Path) -> None:
    limit = {"scope": "connection:openai", "per": "month", "tokens": LIMIT, "hard": True}
    change = set_budgets(BudgetsRequest.model_validate({"limits": [limit]}))
    async with open_runtime(settings(folder, **env), kind=None) as runtime:
        await runtime.admin.change(change, actor="alice")


async def _stands(env: dict[str, str], folder: Path) -> LimitView:
    async with open_runtime(settings(folder, **env), kind=None) as runtime:
        [view] = (await runtime.admin.budgets()).limits
        return view


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_processes_overspend_a_hard_budget_by_nothing(tmp_path: Path, vendor: VendorServer) -> None:
    """What the vendor counted is what was spent, and the budget is used as far as calls fit."""
    DATABASES.migrated(tmp_path)
    env = service_env(tmp_path, _variables(vendor))
    asyncio.run(_limit(env, tmp_path))
    command = [sys.executable, str(CHILD), str(EACH), str(AT_ONCE), str(LONGEST)]
    outputs = run_together([command] * PROCESSES, env, deadline=1000, popen=Forked)
    ended = sum((Counter(json.loads(one)) for one in outputs), Counter())
    answered = [one for one in vendor.requests if one.method == "POST"]
    view = asyncio.run(_stands(env, tmp_path))
    assert set(ended) == {"ok", "budget_exceeded"}
    assert ended.total() == PROCESSES * EACH
    assert len(answered) == ended["ok"]
    spent = view.spent.tokens or 0
    assert spent == ended["ok"] * (LONGEST + 7)
    assert LIMIT - 1_000 * PROCESSES * AT_ONCE < spent <= LIMIT
    assert view.reserved.tokens == 0
