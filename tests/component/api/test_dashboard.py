"""The Grafana dashboard shows metrics that exist, by labels that they have."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc import get_chat_model
from aurorasoc.api.metrics import render
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.wire.breaker import FAILURES
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault

__all__ = ["line", "runtime", "servers"]

FILE: Final = Path(__file__).parents[3] / "docs" / "grafana" / "aurorasoc.json"
OF_THE_SCRAPE: Final = frozenset({"instance", "job"})
"""Labels that Prometheus adds."""

# fmt: off
FUNCTIONS: Final = frozenset({
    "by", "count", "histogram_quantile", "increase", "max", "min", "or", "rate", "sum", "vector",
})
# fmt: on
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SELECTOR: Final = re.compile(r"([a-z_]+)\{([^}]*)\}")


def _dashboard() -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(FILE.read_text("utf-8"))
    return parsed


def _panels() -> list[Mapping[str, Any]]:
    return [panel for panel in _dashboard()["panels"] if panel["type"] != "row"]


def _expressions() -> list[str]:
    return [target["expr"] for panel in _panels() for target in panel["targets"]]


@pytest.fixture
async def shown(runtime: Runtime, line: InLine) -> Mapping[str, set[str]]:
    """Return each metric's labels, after calls that were answered, failed and fell over."""
    limits = [
        {"scope": "connection:first", "per": "day", "tokens": 10**6, "hard": hard}
        for hard in (False, True)
    ]
    change = set_budgets(BudgetsRequest.model_validate({"limits": limits}))
    await runtime.admin.change(change, actor="alice")
    priced = {"provider": "openai", "options": {"price": {"prompt": 1, "completion": 2}}}
    await runtime.admin.put_connection(
        "first", ConnectionRequest.model_validate(priced), actor="alice"
    )
    await get_chat_model().run([UserMessage("Benign?")], stream=True)
    line.first.faults.set(Fault(status=500))
    for _ in range(FAILURES):
        await get_chat_model().run([UserMessage("Benign?")])
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await render()).decode()):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


async def test_dashboard_names_metrics_and_shown_that_exist(
    shown: Mapping[str, set[str]],
) -> None:
    """In selectors, and where it sums by a label."""
    for expression in _expressions():
        selectors = _SELECTOR.findall(expression)
        assert selectors, expression
        has = set.intersection(*(shown.get(name, set()) | OF_THE_SCRAPE for name, _ in selectors))
        for name, selector in selectors:
            assert name in shown, expression
            assert set(re.findall(r"(\w+)[!=]~?\"", selector)) <= shown[name] | OF_THE_SCRAPE
        grouped = {
            by for one in re.findall(r"by \(([^)]*)\)", expression) for by in one.split(", ")
        }
        assert grouped <= has, expression
        bare = re.sub(r"\"[^\"]*\"|\[[^\]]*\]", "", expression)
        known = FUNCTIONS | grouped | has | set(shown)
        assert set(_NAME.findall(bare)) <= known, expression


def test_dashboard_can_be_imported() -> None:
    """What Grafana's import needs: a title, panels of their own id and place, and variables."""
    dashboard = _dashboard()
    assert dashboard["title"]
    assert isinstance(dashboard["schemaVersion"], int)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(dashboard)))
    assert used <= declared


def test_every_panel_says_what_it_shows() -> None:
    """Also to people who didn't draw it."""
    assert all(panel["title"] and panel["description"] for panel in _panels())
