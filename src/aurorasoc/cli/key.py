"""`aurorasoc key set|delete`: keys come from standard input, and go nowhere but into the store."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import SecretStr

from aurorasoc.cli.arguments import Connection, checked
from aurorasoc.cli.changes import say_change
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.key_input import read_key
from aurorasoc.cli.output import AsJson, operator

app = typer.Typer(help="Store and remove the keys of connections.", no_args_is_help=True)


@app.command("set")
def set_key(
    connection: Connection,
    verify: Annotated[
        bool, typer.Option("--verify", help="Test the key first; store nothing if that fails.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store a key, read from standard input: an argument would show in the process list.

    Exits with 1 when its test fails.
    """
    from aurorasoc.llm.changes.requests import KeyRequest  # noqa: PLC0415 - the same rules as over REST

    api_key = checked(lambda: KeyRequest(api_key=SecretStr(read_key()))).api_key
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    change = key_edits.set_key(connection, api_key)
    answer = in_runtime(
        lambda runtime: runtime.admin.change(change, actor=operator(), verify=verify)
    )
    say_change(answer, as_json=as_json)


@app.command("delete")
def delete_key(connection: Connection, as_json: AsJson = False) -> None:
    """Remove a stored key."""
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    change = key_edits.delete_key(connection)
    answer = in_runtime(lambda runtime: runtime.admin.change(change, actor=operator()))
    say_change(answer, as_json=as_json)
