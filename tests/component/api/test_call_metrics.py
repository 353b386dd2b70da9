"""`/metrics` shows calls, their times and tokens, as those who asked saw them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

import pytest
from beeai_framework.backend.message import UserMessage
from prometheus_client.parser import text_string_to_metric_families

from aurorasoc import get_chat_model
from aurorasoc.api.metrics import render
from aurorasoc.core.database.engine import Database
from aurorasoc.errors import BudgetExceeded, DatabaseUnavailable, ModelCallError
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.usage.book import UsageBook
from aurorasoc.llm.usage.writer import UsageWriter
from aurorasoc.llm.wire.call_record import CallRecord
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault

__all__ = ["line", "runtime", "servers"]


async def _samples(name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by its labels' values, without the provider's."""
    families = text_string_to_metric_families((await render()).decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {
        tuple(v for label, v in sorted(s.labels.items()) if label != "provider"): s.value
        for s in samples
    }


async def _ask(*, stream: bool = False) -> None:
    await get_chat_model().run([UserMessage("Benign?")], stream=stream)


async def test_call_that_falls_over_is_one_call_of_who_answered(
    runtime: Runtime, line: InLine
) -> None:
    """Both connections were sent a request."""
    del runtime
    line.first.faults.set(Fault(status=500))
    await _ask()
    assert await _samples("aurorasoc_calls_total") == {("second", "ok"): 1.0}
    sent = await _samples("aurorasoc_requests_sent_total")
    assert sent == {("first",): 1.0, ("second",): 1.0}
    assert (await _samples("aurorasoc_call_seconds_count"))["second",] == 1.0


async def test_call_that_nobody_answers_counts_with_its_code(
    runtime: Runtime, line: InLine
) -> None:
    """For whoever was asked first; it used no tokens."""
    del runtime
    for server in line.all.values():
        server.faults.set(Fault(status=500))
    with pytest.raises(ModelCallError) as failure:
        await _ask()
    assert await _samples("aurorasoc_calls_total") == {("first", failure.value.code): 1.0}
    assert await _samples("aurorasoc_tokens_total") == {}


async def test_only_streams_have_a_time_to_first_token(runtime: Runtime, line: InLine) -> None:
    """An answer that comes as a whole has none."""
    del runtime, line
    await _ask()
    assert (await _samples("aurorasoc_call_first_token_seconds_count"))["first",] == 0.0
    await _ask(stream=True)
    assert (await _samples("aurorasoc_call_first_token_seconds_count"))["first",] == 1.0


async def test_tokens_are_the_vendors_counts(runtime: Runtime, line: InLine) -> None:
    """By kind."""
    del line
    seen: list[CallRecord] = []
    runtime.pool.records.follow(seen.append)
    await _ask()
    usage = seen[0].usage
    assert usage is not None
    tokens = await _samples("aurorasoc_tokens_total")
    assert tokens["first", "prompt"] == usage.prompt_tokens
    assert tokens["first", "completion"] == usage.completion_tokens


async def _price_first(runtime: Runtime) -> None:
    body = {"provider": "openai", "options": {"price": {"prompt": 1.5, "completion": 6}}}
    await runtime.admin.put_connection(
        "first", ConnectionRequest.model_validate(body), actor="alice"
    )


async def _limit(runtime: Runtime, *limits: Mapping[str, object]) -> None:
    change = set_budgets(BudgetsRequest.model_validate({"limits": limits}))
    await runtime.admin.change(change, actor="alice")


async def test_cost_is_shown_of_priced_calls_only(runtime: Runtime, line: InLine) -> None:
    """In dollars; a connection whose price nobody knows has no series."""
    del line
    await _ask()
    assert await _samples("aurorasoc_cost_dollars_total") == {}
    seen: list[CallRecord] = []
    runtime.pool.records.follow(seen.append)
    await _price_first(runtime)
    await _ask()
    cost = await _samples("aurorasoc_cost_dollars_total")
    assert seen[0].micro_dollars
    assert cost == {("first",): pytest.approx(seen[0].micro_dollars / 1e6)}


async def test_cached_tokens_are_a_kind_where_the_vendor_counts_them(
    runtime: Runtime, line: InLine
) -> None:
    """They are part of the prompt's."""
    del line
    seen: list[CallRecord] = []
    runtime.pool.records.follow(seen.append)
    await _ask()
    [record] = seen
    assert record.usage is not None
    cached = replace(record, usage=replace(record.usage, cached_tokens=7))
    runtime.call_metrics.note(cached)
    assert (await _samples("aurorasoc_tokens_total"))["first", "cached"] == 7.0


async def test_limits_show_how_far_they_are_used_up(runtime: Runtime, line: InLine) -> None:
    """The hard and the soft one of a scope apart; limits that are gone leave no series."""
    del line
    soft = {"scope": "connection:first", "per": "day", "tokens": 1, "hard": False}
    hard = {"scope": "connection:first", "per": "day", "tokens": 100_000, "hard": True}
    await _limit(runtime, soft, hard)
    await get_chat_model().run([UserMessage("Benign?")], max_tokens=50)
    await runtime.admin.guard.teller.flush()
    spent = (await runtime.admin.budgets()).limits[0].spent.tokens
    assert spent
    used = await _samples("aurorasoc_budget_used_ratio")
    assert used == {
        ("hard", "day", "connection:first"): pytest.approx(spent / 100_000),
        ("soft", "day", "connection:first"): pytest.approx(spent),
    }
    warned = await _samples("aurorasoc_budget_warned_total")
    assert warned == {("day", "connection:first"): 1.0}
    await _limit(runtime)
    assert await _samples("aurorasoc_budget_used_ratio") == {}


async def test_refusals_are_counted_by_limit(runtime: Runtime, line: InLine) -> None:
    """From zero, so that an alarm sees the first one."""
    del line
    one = {"scope": "connection:first", "per": "month", "tokens": 60, "hard": True}
    await _limit(runtime, one)
    label = ("month", "connection:first")
    assert await _samples("aurorasoc_budget_refused_total") == {label: 0.0}
    with pytest.raises(BudgetExceeded):
        await get_chat_model().run([UserMessage("Benign?")], max_tokens=50)
    assert await _samples("aurorasoc_budget_refused_total") == {label: 1.0}


async def test_calls_that_wait_to_be_written_are_shown_even_after_a_failure(
    runtime: Runtime, line: InLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed has written nothing of them."""
    del line
    book = UsageBook()
    runtime.pool.records.follow(book.note)
    await _ask()
    assert book.backlog == 1
    writer = UsageWriter(runtime.database, book, days=400)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", _refused)
        with pytest.raises(DatabaseUnavailable):
            await writer.write()
    assert book.backlog == 1
    await writer.write()
    assert book.backlog == 0
    assert () in await _samples("aurorasoc_usage_unwritten_calls")


def _refused(*_arguments: object, **_options: object) -> NoReturn:
    raise DatabaseUnavailable
