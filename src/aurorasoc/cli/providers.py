"""`aurorasoc providers …`: admin operations at the shell.

They change the configured database directly; running processes adopt the changes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from aurorasoc.cli.arguments import Provider, checked
from aurorasoc.cli.changes import say_change
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.inventory import list_connections
from aurorasoc.cli.output import AsJson, operator, say, say_json

app = typer.Typer(help="Look at providers, switch, test.", no_args_is_help=True)
app.command("list")(list_connections)


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
