"""`aurorasoc providers …`: admin operations at the shell.

They change the configured database directly; running processes adopt the changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.arguments import Provider, checked
from aurorasoc.cli.changes import say_change
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.model_facts import in_words
from aurorasoc.cli.output import AsJson, operator, say, say_json

if TYPE_CHECKING:
    from aurorasoc.llm.inventory import ConnectionView

app = typer.Typer(help="Look at providers, switch, test.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all providers; the active one is marked."""
    inventory = in_runtime(lambda runtime: runtime.admin.inventory())
    if as_json:
        say_json(inventory)
        return
    say(f"revision {inventory.revision}, active: {inventory.active.backend}")
    for row in inventory.providers:
        mark = "*" if row.active else " "
        state = row.problems[0].code if row.problems else "ready"
        say(f"{mark} {row.provider:<10} {state:<20} key {row.key_state:<14} {row.model}")
        for line in _details(row):
            say(f"    {line}")


@app.command()
def use(
    provider: Annotated[str, typer.Argument(help="A provider, or auto")],
    model: Annotated[str | None, typer.Option(help="Specialist model.")] = None,
    orchestrator_model: Annotated[str | None, typer.Option(help="Orchestrator model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a provider active. The key must be stored already, or set in the environment."""
    from aurorasoc.llm.changes.requests import ConfigRequest  # noqa: PLC0415 - the same rules as over REST

    given = {"model": model, "orchestrator_model": orchestrator_model, "base_url": base_url}
    sent = {name: value for name, value in given.items() if value is not None}
    requested = checked(lambda: ConfigRequest.model_validate({"provider": provider, **sent}))
    answer = in_runtime(lambda runtime: runtime.admin.switch(requested, actor=operator()))
    say_change(answer, as_json=as_json)


@app.command("test")
def test(
    provider: Provider,
    role: Annotated[str, typer.Option(help="specialist or orchestrator")] = "specialist",
    as_json: AsJson = False,
) -> None:
    """Send a provider's model a one-word prompt. Exits with 1 when the test fails."""
    from aurorasoc.api.schemas import TestBody  # noqa: PLC0415 - the same rules as over REST

    body = checked(lambda: TestBody.model_validate({"role": role}))
    result = in_runtime(
        lambda runtime: runtime.admin.test(provider, role=body.role, actor=operator())
    )
    if as_json:
        say_json(asdict(result))
    else:
        say(f"{result.code}: {result.detail} ({result.latency_ms} ms)")
    if not result.ok:
        raise typer.Exit(1)


def _details(row: ConnectionView) -> Iterator[str]:
    """Yield what is known of the models in a provider's row, and what is to be said of them."""
    facts = {row.model: row.model_facts, row.orchestrator_model: row.orchestrator_model_facts}
    for model, known in facts.items():
        words = in_words(known)
        if words:
            yield f"{model}: {words}"
    for notice in row.problems + row.warnings:
        if notice.code in {"model_retired", "model_retires"}:
            yield notice.detail
