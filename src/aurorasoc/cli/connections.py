"""`aurorasoc connections list|set|delete`: named ways to providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from aurorasoc.cli.arguments import checked, connection_of, pairs, plain_value, sent, tlp_of
from aurorasoc.cli.changes import Wait, calls_to, key_place, make_change
from aurorasoc.cli.connection_values import PRESETS, Unset, Wishes, preset_values, request_body
from aurorasoc.cli.consent import Consent, Yes, with_consent
from aurorasoc.cli.inventory import list_connections
from aurorasoc.cli.key_input import read_key
from aurorasoc.cli.output import AsJson, operator
from aurorasoc.cli.same_store import require_same_store
from aurorasoc.config.vocabulary import ServingBackend, Tlp

if TYPE_CHECKING:
    from aurorasoc.config.snapshot import ConnectionConfig
    from aurorasoc.llm.changes.requests import ConnectionRequest
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Named connections to providers.", no_args_is_help=True)
app.command("list")(list_connections)

Name = Annotated[
    str,
    typer.Argument(
        parser=connection_of, metavar="NAME", help="A connection's name, such as vllm-lab."
    ),
]


@app.command("set")
def set_(  # noqa: PLR0913 - one parameter for each option
    name: Name,
    *,
    provider: Annotated[
        ServingBackend | None,
        typer.Option(case_sensitive=False, help="What a new one leads to; it stays so."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help=f"Provider and address of a known service: {', '.join(PRESETS)}."),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A part of the preset's address; repeatable."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Base URL.")] = None,
    model: Annotated[str | None, typer.Option(help="Specialist model.")] = None,
    orchestrator_model: Annotated[str | None, typer.Option(help="Orchestrator model.")] = None,
    max_tlp: Annotated[
        Tlp | None,
        typer.Option(parser=tlp_of, metavar="|".join(Tlp), help="Its own ceiling."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="temperature=0.2; empty: not sent. Repeatable."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Sent with each request; no secret. Repeatable."),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="prompt=0.2: US dollars for a million tokens; empty: none. Repeatable.",
        ),
    ] = None,
    unset: Annotated[
        list[Unset] | None,
        typer.Option(metavar="|".join(Unset), help="Back to the boot default; repeatable."),
    ] = None,
    key: Annotated[
        bool, typer.Option("--key", help="Read a key from standard input, and store it.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Test it first; change nothing if that fails.")
    ] = False,
    yes: Yes = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Create a connection, or change it, without switching to it.

    What isn't named stays as it is. What lets data go where it may not go now is said, and asked
    for. Exits with 1 when its test fails.
    """
    values = sent(
        provider=provider,
        base_url=base_url,
        model=model,
        orchestrator_model=orchestrator_model,
        max_tlp=max_tlp,
        api_key=SecretStr(read_key()) if key else None,
    )
    wishes = Wishes(
        {**preset_values(preset, pairs("--place", place, "NAME=VALUE")), **values},
        tuple(unset or ()),
        _values("--option", option),
        pairs("--header", header),
        _values("--price", price),
    )
    with_consent(
        lambda consent: make_change(
            lambda runtime: _set(runtime, name, wishes, consent, verify=verify),
            wait=wait,
            as_json=as_json,
        ),
        yes=yes,
    )


@app.command()
def delete(name: Name, wait: Wait = None, as_json: AsJson = False) -> None:
    """Remove a connection that was made at runtime, and its stored key. Nobody may use it."""
    from aurorasoc.llm.changes import connection_edits  # noqa: PLC0415 - SQLAlchemy costs time

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        await require_same_store(runtime)
        before = runtime.adoption.snapshot.connections.get(name)
        had_key = before is not None and before.credential.state != "absent"
        change = connection_edits.delete_connection(runtime.settings, name)
        answer = await runtime.admin.change(change, actor=operator())
        return answer, [f"connection {name} deleted{', with its key' if had_key else ''}"]

    make_change(work, wait=wait, as_json=as_json)


def _values(option: str, given: list[str] | None) -> dict[str, str | float | None]:
    return {
        name.replace("-", "_"): plain_value(text) for name, text in pairs(option, given).items()
    }


async def _set(
    runtime: Runtime, name: str, wishes: Wishes, consent: Consent, *, verify: bool
) -> tuple[MutationAnswer, list[str]]:
    """Make the change, and say what it was."""
    from aurorasoc.llm.changes.requests import ConnectionRequest  # noqa: PLC0415 - as over REST

    before = runtime.adoption.snapshot
    present = before.connections.get(name)
    body = request_body(wishes, present)
    requested = checked(lambda: ConnectionRequest.model_validate(body))
    if "api_key" in body:
        await require_same_store(runtime)
    shown = await consent.to_widen(runtime, await runtime.admin.connection_as(name, requested))
    merged = "options" in body and present is not None
    answer = await runtime.admin.put_connection(
        name,
        requested,
        actor=operator(),
        if_match=before.revision if merged else shown,
        verify=verify,
    )
    after = runtime.adoption.snapshot.connections[name]
    lines = [_line(after, requested, made=present is None)]
    return answer, [*lines, calls_to(after)] if requested.base_url is not None else lines


def _line(after: ConnectionConfig, requested: ConnectionRequest, *, made: bool) -> str:
    """Say what was made or changed, and where the key is now."""
    fields = requested.model_fields_set - {"provider", "api_key"}
    which = ", ".join(sorted(field.replace("_", "-") for field in fields))
    line = f"connection {after.name} {'made' if made else 'changed'}"
    if which:
        line += f": {which}"
    if "api_key" in requested.model_fields_set:
        line += "; key removed" if requested.api_key is None else f"; key stored {key_place(after)}"
    return line
