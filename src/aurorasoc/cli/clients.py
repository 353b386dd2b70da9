"""`aurorasoc clients create|list|rotate|revoke`: machine clients of the door."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter

from aurorasoc.cli.arguments import checked, label_option, sent
from aurorasoc.cli.changes import Wait, adopted_line
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.config.budgets import Period
from aurorasoc.config.vocabulary import Tlp

if TYPE_CHECKING:
    from aurorasoc.llm.clients import (
        ClientBudgetView,
        ClientRevoked,
        ClientSecretAnswer,
        ClientView,
    )
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Machine clients of the door.", no_args_is_help=True)

A = TypeVar("A", "ClientSecretAnswer", "ClientRevoked")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A client's name: a-z, 0-9 and -.")]

_HEADER = ("NAME", "MAX TLP", "BUDGET", "EXPIRES", "LAST USED", "OLD SECRET UNTIL", "PROBLEM")


@app.command()
def create(  # noqa: PLR0913 - one parameter for each option
    name: Name,
    *,
    max_tlp: Annotated[Tlp | None, label_option("The most restricted label it may send.")] = None,
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Its end: 2030-01-01T00:00:00Z.")
    ] = None,
    budget_per: Annotated[Period | None, typer.Option(help="What its budget is for.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Tokens in that time.")] = None,
    budget_money: Annotated[float | None, typer.Option(help="US dollars in that time.")] = None,
    budget_hard: Annotated[
        bool, typer.Option("--budget-hard", help="Refuse calls beyond it, instead of a warning.")
    ] = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Make a client, and print its secret: the only time it is shown."""
    from aurorasoc.llm.changes.client_requests import ClientRequest  # noqa: PLC0415 - SQLAlchemy costs time

    budget = sent(per=budget_per, tokens=budget_tokens, money=budget_money)
    if budget or budget_hard:
        budget["hard"] = budget_hard
    body = sent(name=name, max_tlp=max_tlp, expires_at=expires_at, budget=budget or None)
    requested = checked(lambda: ClientRequest.model_validate(body))

    async def work(runtime: Runtime) -> ClientSecretAnswer:
        return await runtime.clients.create(requested, actor=operator())

    _say_secret(_changed(work, wait), f"client {name} made", as_json=as_json)


@app.command()
def rotate(
    name: Name,
    *,
    grace: Annotated[
        int, typer.Option(metavar="SECONDS", help="How long the old secret stays valid.")
    ] = 0,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Replace a client's secret, now or after a time of grace; print it."""
    from aurorasoc.llm.changes.client_requests import SecretRequest  # noqa: PLC0415 - SQLAlchemy costs time

    requested = checked(lambda: SecretRequest(grace_seconds=grace), name="--grace")

    async def work(runtime: Runtime) -> ClientSecretAnswer:
        seconds = requested.grace_seconds
        return await runtime.clients.replace_secret(name, grace=seconds, actor=operator())

    answer = _changed(work, wait)
    until = answer.old_secret_until
    line = f"the old secret of {name} " + (f"is valid until {until}" if until else "has ended")
    _say_secret(answer, line, as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the clients, what each may do, and when it was last used."""

    async def work(runtime: Runtime) -> list[ClientView]:
        return (await runtime.clients.list()).clients

    clients = in_runtime(work)
    if as_json:
        say_json({"clients": clients})
        return
    for line in table(_HEADER, map(_row, clients)) if clients else ["There are no clients."]:
        say(line)


@app.command()
def revoke(name: Name, *, wait: Wait = None, as_json: AsJson = False) -> None:
    """End a client's access in every process, calls under way included."""

    async def work(runtime: Runtime) -> ClientRevoked:
        return await runtime.clients.revoke(name, actor=operator())

    answer = _changed(work, wait)
    if as_json:
        say_json(_json(answer))
    else:
        say(f"client {name} revoked, revision {answer.revision}")
        if answer.adoption is not None:
            say(adopted_line(answer.adoption))
    _exit_unless_adopted(answer)


def _changed(work: Callable[[Runtime], Awaitable[A]], wait: float | None) -> A:
    """Make a change, and wait for the other processes if asked to."""

    async def run(runtime: Runtime) -> A:
        answer = await work(runtime)
        if wait is None:
            return answer
        adoption = await runtime.fleet.adoption_of(answer.revision, wait, runtime.instance)
        return replace(answer, adoption=adoption)

    return in_runtime(run)


def _say_secret(answer: ClientSecretAnswer, line: str, *, as_json: bool) -> None:
    """Print the secret alone on standard output, so that a pipe gets nothing else."""
    if as_json:
        say_json(_json(answer))
    else:
        sys.stderr.write(f"{line}. The secret is shown only now:\n")
        say(answer.secret)
        if answer.adoption is not None:
            sys.stderr.write(f"{adopted_line(answer.adoption)}\n")
    _exit_unless_adopted(answer)


def _exit_unless_adopted(answer: ClientSecretAnswer | ClientRevoked) -> None:
    if answer.adoption is not None and not answer.adoption.adopted:
        raise typer.Exit(1)


def _json(answer: ClientSecretAnswer | ClientRevoked) -> Any:  # noqa: ANN401 - JSON
    return TypeAdapter(type(answer)).dump_python(answer, mode="json")


def _row(client: ClientView) -> tuple[str | None, ...]:
    return (
        client.name,
        client.max_tlp,
        _budget(client.budget),
        client.expires_at,
        client.last_used_at,
        client.old_secret_until,
        None if client.problem is None else client.problem.code,
    )


def _budget(budget: ClientBudgetView | None) -> str | None:
    if budget is None:
        return None
    amounts = [
        *([f"{budget.tokens} tokens"] if budget.tokens is not None else []),
        *([f"${budget.money:.2f}"] if budget.money is not None else []),
    ]
    return f"{' and '.join(amounts)} a {budget.per}{', hard' if budget.hard else ''}"
