"""`aurorasoc key set|delete`: keys come from standard input, and go nowhere but into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from aurorasoc.cli.arguments import Connection, checked
from aurorasoc.cli.changes import Wait, key_place, make_change
from aurorasoc.cli.key_input import read_key
from aurorasoc.cli.output import AsJson, operator
from aurorasoc.cli.same_store import require_same_store

if TYPE_CHECKING:
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="Store and remove the keys of connections.", no_args_is_help=True)


@app.command("set")
def set_key(
    connection: Connection,
    verify: Annotated[
        bool, typer.Option("--verify", help="Test the key first; store nothing if that fails.")
    ] = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Store a key, read from standard input.

    An argument would show in the process list.

    Exits with 1 when its test fails.
    """
    from aurorasoc.llm.changes.requests import KeyRequest  # noqa: PLC0415 - the same rules as over REST

    api_key = checked(lambda: KeyRequest(api_key=SecretStr(read_key("key"))), name="key").api_key
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        await require_same_store(runtime)
        change = key_edits.set_key(connection, api_key)
        answer = await runtime.admin.change(change, actor=operator(), verify=verify)
        config = runtime.adoption.snapshot.connections[connection]
        return answer, [f"key of {connection} stored {key_place(config)}"]

    make_change(work, wait=wait, as_json=as_json)


@app.command("delete")
def delete_key(connection: Connection, wait: Wait = None, as_json: AsJson = False) -> None:
    """Remove a stored key."""
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        await require_same_store(runtime)
        change = key_edits.delete_key(connection)
        answer = await runtime.admin.change(change, actor=operator())
        now = runtime.adoption.snapshot.connections[connection].credential
        rest = "; the environment's applies" if now.source == "env" else ""
        return answer, [f"key of {connection} removed{rest}"]

    make_change(work, wait=wait, as_json=as_json)
