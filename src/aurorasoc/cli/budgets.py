"""`aurorasoc budgets show|set`: what may be spent, by whom."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aurorasoc.cli.arguments import checked
from aurorasoc.cli.changes import Wait, make_change
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.config.budgets import MICROS
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.config.budgets import Limit
    from aurorasoc.llm.budgets.view import LimitView
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Limits on tokens and money.", no_args_is_help=True)

_FORM: Final = (
    "SCOPE=AMOUNT: connection:NAME, agent:NAME or client:NAME, and usd or tokens per day or month, "
    "such as connection:openai=200usd/month or agent:triage=5000tokens/day"
)
_LIMIT: Final = re.compile(
    r"(?P<scope>[^=]{1,80})=(?P<amount>[0-9]{1,16}(\.[0-9]{1,6})?)"
    r"(?P<unit>usd|tokens)/(?P<per>day|month)"
)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the limits, what is spent of each, and when it resets."""
    budgets = in_runtime(lambda runtime: runtime.admin.budgets())
    if as_json:
        say_json(budgets)
        return
    if not budgets.limits:
        say("There are no limits.")
        return
    header = ("SCOPE", "PER", "KIND", "LIMIT", "SPENT", "RESERVED", "RESETS", "STATE", "SOURCE")
    for line in table(header, map(_row, budgets.limits)):
        say(line)


@app.command("set")
def set_(
    *,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE=AMOUNT", help=f"{_FORM}; repeatable.")
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="Only warn; otherwise calls are refused.")
    ] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="End all limits of a scope; repeatable."),
    ] = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Set limits; others stay. A limit of the same scope, period and kind is replaced."""
    if not (limit or remove):
        detail = "Nothing to change: name a --limit, or a scope to --remove."
        raise InvalidInput(detail)
    rows = [_parsed(text, hard=not soft) for text in limit or ()]

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        return await _set(runtime, rows, remove or ())

    make_change(work, wait=wait, as_json=as_json)


async def _set(
    runtime: Runtime, rows: list[dict[str, Any]], removed: Iterable[str]
) -> tuple[MutationAnswer, list[str]]:
    from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets  # noqa: PLC0415 - SQLAlchemy costs time

    snapshot = runtime.adoption.snapshot
    _refuse_unknown(removed, {one.scope for one in snapshot.budgets})
    merged: dict[tuple[str, str, bool], dict[str, Any]] = {
        one.key: _as_sent(one) for one in snapshot.budgets if one.scope not in set(removed)
    }
    for row in rows:
        key = (row["scope"], row["per"], row["hard"])
        merged[key] = {**merged.get(key, {}), **row}
    body = {"limits": [*merged.values()]}
    requested = checked(lambda: BudgetsRequest.model_validate(body), name="--limit")
    change = set_budgets(requested)
    answer = await runtime.admin.change(change, actor=operator(), if_match=snapshot.revision)
    in_force = "1 limit is" if len(merged) == 1 else f"{len(merged)} limits are"
    return answer, [f"{in_force} in force."]


def _refuse_unknown(removed: Iterable[str], limited: set[str]) -> None:
    """Refuse to remove what isn't there: a misspelt scope would stay limited.

    Raises:
        InvalidInput: A scope has no limit. It isn't repeated: it may be a key.
    """
    if not limited.issuperset(removed):
        known = ", ".join(sorted(limited)) or "none"
        detail = f"--remove takes a scope that has a limit: {known}."
        raise InvalidInput(detail)


def _parsed(text: str, *, hard: bool) -> dict[str, Any]:
    """Read a limit as REST takes it.

    Raises:
        InvalidInput: It isn't of the form. It isn't repeated: it may be a key.
    """
    match = _LIMIT.fullmatch(text)
    if match is None or ("." in match["amount"] and match["unit"] == "tokens"):
        detail = f"--limit takes {_FORM}."
        raise InvalidInput(detail)
    amount: Any = (Decimal if match["unit"] == "usd" else int)(match["amount"])
    unit = "money" if match["unit"] == "usd" else "tokens"
    return {"scope": match["scope"], "per": match["per"], "hard": hard, unit: amount}


def _as_sent(limit: Limit) -> dict[str, Any]:
    budget = limit.budget
    money = None if budget.money is None else Decimal(budget.money) / MICROS
    sent = {"tokens": budget.tokens, "money": money}
    amounts = {name: value for name, value in sent.items() if value is not None}
    return {"scope": limit.scope, "per": budget.per, "hard": budget.hard, **amounts}


def _row(view: LimitView) -> tuple[str, ...]:
    kind = "hard" if view.hard else "soft"
    limits = (view.tokens, view.money)
    spent = (view.spent.tokens, view.spent.money)
    reserved = (view.reserved.tokens, view.reserved.money)
    amounts = (_amounts(limits, limits), _amounts(spent, limits), _amounts(reserved, limits))
    return view.scope, view.per, kind, *amounts, view.resets_at[:10], view.state, view.source


def _amounts(
    amounts: tuple[int | None, float | None], limits: tuple[int | None, float | None]
) -> str:
    """Return the amounts that a limit is about."""
    (tokens, money), (most_tokens, most_money) = amounts, limits
    words = [] if most_tokens is None else [f"{tokens or 0:,} tokens"]
    if most_money is not None:
        words.append(f"{money or 0:,.2f} USD")
    return ", ".join(words)
