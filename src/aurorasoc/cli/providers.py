"""`aurorasoc providers …`: look at connections, switch, test.

They change the configured database directly; running processes adopt the changes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from aurorasoc.cli.arguments import Connection, checked, connection_of, sent
from aurorasoc.cli.changes import Wait, calls_to, key_place, make_change
from aurorasoc.cli.consent import Consent, Yes, with_consent
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.inventory import list_connections
from aurorasoc.cli.key_input import read_key
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.same_store import require_same_store
from aurorasoc.config.vocabulary import Role

if TYPE_CHECKING:
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Look at connections, switch, test.", no_args_is_help=True)
app.command("list")(list_connections)


@app.command()
def use(  # noqa: PLR0913 - one parameter for each option
    connection: Annotated[
        str,
        typer.Argument(
            parser=connection_of, metavar="CONNECTION", help="A connection's name, or auto."
        ),
    ],
    *,
    model: Annotated[str | None, typer.Option(help="Specialist model.")] = None,
    orchestrator_model: Annotated[str | None, typer.Option(help="Orchestrator model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL.")] = None,
    key: Annotated[
        bool, typer.Option("--key", help="Read a key from standard input, and store it.")
    ] = False,
    test_first: Annotated[
        bool, typer.Option("--test", help="Test it first; change nothing if that fails.")
    ] = False,
    yes: Yes = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Make a connection active. Its key is stored already, is set by the environment, or is read.

    Another address of what is in use is said, and asked for. Exits with 1 when its test fails.
    """
    from aurorasoc.llm.changes.requests import ConfigRequest  # noqa: PLC0415 - the same rules as over REST

    values = sent(
        provider=connection,
        model=model,
        orchestrator_model=orchestrator_model,
        base_url=base_url,
        api_key=SecretStr(read_key()) if key else None,
    )
    requested = checked(lambda: ConfigRequest.model_validate(values))

    async def work(runtime: Runtime, consent: Consent) -> tuple[MutationAnswer, list[str]]:
        if key:
            await require_same_store(runtime)
        shown = await consent.to_widen(runtime, await runtime.admin.switch_to(requested))
        answer = await runtime.admin.switch(
            requested, actor=operator(), if_match=shown, verify=test_first
        )
        config = runtime.adoption.snapshot.connections.get(requested.provider)
        lines = []
        if config is not None and base_url is not None:
            lines.append(calls_to(config))
        if config is not None and key:
            lines.append(f"key of {config.name} stored {key_place(config)}")
        return answer, lines

    with_consent(
        lambda consent: make_change(
            lambda runtime: work(runtime, consent), wait=wait, as_json=as_json
        ),
        yes=yes,
    )


@app.command("test")
def test(
    connection: Connection,
    role: Annotated[Role, typer.Option(help="Whose model.")] = "specialist",
    as_json: AsJson = False,
) -> None:
    """Send a connection's model a one-word prompt. Exits with 1 when the test fails."""
    result = in_runtime(lambda runtime: runtime.admin.test(connection, role=role, actor=operator()))
    if as_json:
        say_json(asdict(result))
    else:
        say(f"{result.code}: {result.detail} ({result.latency_ms} ms)")
    if not result.ok:
        raise typer.Exit(1)


def models(connection: Connection, as_json: AsJson = False) -> None:
    """List the models behind a connection. Exits with 1 if the provider doesn't answer."""
    result = in_runtime(lambda runtime: runtime.admin.models(connection))
    if as_json:
        say_json(result)
        return
    for name in result.models:
        say(name)
