"""How the page counts, reads typed amounts and compares budgets: its modules, in the browser."""

from itertools import pairwise
from typing import Any, Final

import pytest

from tests.functional.page.visit import Visit

CALLED: Final = """async ([file, name, given]) => {
    const styles = document.querySelector("link[rel=stylesheet]").href;
    const module = await import(new URL(file, styles));
    const result = module[name](...given);
    return typeof result === "number" && isNaN(result) ? "NaN" : result;
}"""
DAY: Final = 86_400_000  # ms


def limit(scope: str, tokens: int, **others: object) -> dict[str, Any]:
    """Return a limit as the service does."""
    return {"scope": scope, "per": "day", "tokens": tokens, "money": None, "hard": True, **others}


class Modules:
    """The page's modules, called with JSON."""

    def __init__(self, visit: Visit) -> None:
        """Open the page; nobody has to sign in."""
        visit.open()
        self.visit = visit

    def call(self, file: str, name: str, *given: object) -> Any:  # noqa: ANN401 - JSON
        """Call a function of a file."""
        return self.visit.page.evaluate(CALLED, [file, name, list(given)])

    def summary(self, *rows: dict[str, Any]) -> dict[str, Any]:
        """Return the sums of rows, as tokens rank them."""
        result: dict[str, Any] = self.call("usage_sums.js", "summarise", list(rows), "tokens")
        return result


@pytest.fixture
def modules(visit: Visit) -> Modules:
    """Return the modules of the page."""
    return Modules(visit)


def row(key: str | None = "ollama", **counts: Any) -> dict[str, Any]:
    """Return a row of usage in which everything was counted, but for `counts`."""
    counted = {"calls": 1, "failed": 0, "uncounted": 0, "unpriced": 0}
    counted |= {"prompt_tokens": 10, "completion_tokens": 5}
    whole = {"bucket": "2026-11-28T00:00:00Z", "key": key, "cached_tokens": 0, "cost": 0.5}
    return whole | counted | counts


def test_what_was_not_counted_is_never_a_zero(modules: Modules) -> None:
    """Nor is a sum that lacks a part given as the whole."""
    nothing: dict[str, Any] = {
        "prompt_tokens": None,
        "completion_tokens": None,
        "cost": None,
        "uncounted": 1,
    }
    words = [
        modules.call("usage_numbers.js", "countWords", modules.summary(*rows)["total"]["tokens"])
        for rows in ([row(**nothing)], [row(), row(**nothing)], [row(uncounted=1)], [row()])
    ]
    assert words == ["not counted", "at least 15", "at least 15", "15"]


def test_usage_is_summed_by_key_and_the_largest_comes_first(modules: Modules) -> None:
    """With who called without a name among them."""
    rows = [row("small"), row("large", prompt_tokens=1_000), row("small"), row(None)]
    keys = modules.summary(*rows)["keys"]
    assert [one["key"] for one in keys] == ["large", "small", None]
    assert [one["sums"]["calls"]["known"] for one in keys] == [1, 2, 1]


@pytest.mark.parametrize(("span", "count", "bucket"), [("day", 24, "hour"), ("week", 7, "day")])
def test_a_span_ends_with_the_present_bucket_of_utc(
    modules: Modules, span: str, count: int, bucket: str
) -> None:
    """Whole buckets only, one after the other."""
    now = 20_000 * DAY + 5 * DAY // 24 + 1
    view = modules.call("usage_times.js", "bucketsOf", span, now)
    length = DAY if bucket == "day" else DAY // 24
    starts = view["starts"]
    assert (view["bucket"], len(starts)) == (bucket, count)
    assert starts[-1] <= now < starts[-1] + length
    assert {later - one for one, later in pairwise(starts)} == {length}
    assert all(start % length == 0 for start in starts)


def test_an_amount_is_understood_as_people_type_it(modules: Modules) -> None:
    """And nothing else is taken for a number."""
    meant = {
        "1,500,000": 1_500_000,
        "1.5M": 1_500_000,
        "50 k": 50_000,
        "$ 2.50": 2.5,
        "1_000": 1_000,
        "": None,
        "much": "NaN",
        "1.2.3": "NaN",
        "-5": "NaN",
    }
    assert {typed: modules.call("budget_words.js", "amountOf", typed) for typed in meant} == meant


def test_two_changes_of_budgets_are_merged_limit_by_limit(modules: Modules) -> None:
    """Where both touched one, mine stays; what only they did is theirs."""
    base = [limit("connection:a", 1), limit("connection:b", 1), limit("connection:c", 1)]
    mine = [limit("connection:a", 2), limit("connection:b", 1), limit("connection:c", 1)]
    theirs = [limit("connection:a", 3), limit("connection:b", 4), limit("client:new", 5)]
    merged = modules.call("budget_words.js", "mergeLimits", base, mine, theirs)
    amounts = {one["scope"]: one["tokens"] for one in merged}
    assert amounts == {"connection:a": 2, "connection:b": 4, "client:new": 5}


def test_a_limit_that_i_removed_stays_removed(modules: Modules) -> None:
    """Somebody else's change of another one doesn't bring it back."""
    base = [limit("connection:a", 1), limit("connection:b", 1)]
    theirs = [limit("connection:a", 1), limit("connection:b", 2)]
    merged = modules.call("budget_words.js", "mergeLimits", base, base[1:], theirs)
    assert [(one["scope"], one["tokens"]) for one in merged] == [("connection:b", 2)]


def test_a_limit_below_what_is_spent_says_that_calls_are_refused_at_once(modules: Modules) -> None:
    """Before it is saved."""
    spent = {"tokens": 900, "money": None}
    before = [limit("client:soar", 1_000, spent=spent), limit("agent:triage", 7)]
    after = [limit("client:soar", 500)]
    details = modules.call("budget_words.js", "compareLimits", before, after)
    removed, lowered = (one["text"] for one in details)
    assert (
        removed
        == "The agent triage loses its limit of 7 tokens a day (calls beyond it are refused)."
    )
    assert "client soar may spend 500 tokens a day, instead of 1,000 tokens a day" in lowered
    assert "900 tokens are spent already: its calls are refused from now on" in lowered


def test_money_is_written_to_the_micro_dollar(modules: Modules) -> None:
    """Tables are exact; charts are short."""
    amounts = (0, 0.000042, 2.5, 1234.5)
    exact = [modules.call("usage_numbers.js", "money", amount) for amount in amounts]
    short = [modules.call("usage_numbers.js", "compactMoney", amount) for amount in amounts]
    assert exact == ["$0.00", "$0.000042", "$2.50", "$1,234.50"]
    assert short == ["$0.00", "$0.000042", "$2.50", "$1.23K"]
