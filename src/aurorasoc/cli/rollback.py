"""`aurorasoc rollback`: show what it would change, ask, and go back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from aurorasoc.cli.arguments import checked
from aurorasoc.cli.changes import Wait, key_place, make_change
from aurorasoc.cli.consent import ask
from aurorasoc.cli.history import Revision
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.key_input import read_key
from aurorasoc.cli.output import AsJson, operator
from aurorasoc.cli.previews import Sure, TestFirst, say_preview
from aurorasoc.cli.same_store import require_same_store
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.llm.changes.previews import RollbackPlan
    from aurorasoc.llm.changes.requests import RollbackKey
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime


def rollback(  # noqa: PLR0913 - one parameter for each option
    revision: Revision,
    *,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="CONNECTION",
            help="Read that connection's key, for the address that it goes back to.",
        ),
    ] = None,
    test_first: TestFirst = False,
    yes: Sure = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Restore an earlier configuration, as a new revision. Keys stay as they are.

    Shows what changes of what is in force, and asks. Exits with 1 when a test fails.
    """
    plan = in_runtime(lambda runtime: runtime.admin.plan_rollback(revision))
    say_preview(plan, as_json=as_json)
    typed = _key(plan, key)
    if plan.changes and not yes:
        ask(f"Go back to revision {revision}?")

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        if typed is not None:
            await require_same_store(runtime)
        answer = await runtime.admin.rollback(
            revision, actor=operator(), if_match=plan.based_on, verify=test_first, key=typed
        )
        if typed is None:
            return answer, []
        config = runtime.adoption.snapshot.connections[typed.connection]
        return answer, [f"key of {typed.connection} stored {key_place(config)}"]

    make_change(work, wait=wait, as_json=as_json)


def _key(plan: RollbackPlan, name: str | None) -> RollbackKey | None:
    """Return the key that goes with the rollback; at a terminal, one that it needs is asked for.

    Raises:
        InvalidInput: It needs one, and none is given; or it needs several.
    """
    from aurorasoc.llm.changes.requests import RollbackKey  # noqa: PLC0415 - the same rules as over REST

    needed = [one for one in plan.keys if one.in_use]
    if len(needed) > 1:
        detail = (
            f"A rollback takes one key, and {', '.join(one.connection for one in needed)} need "
            "another. Store all but one first, each with its address: connections set NAME "
            "--base-url URL --key."
        )
        raise InvalidInput(detail)
    if name is None and needed and not sys.stdin.isatty():
        detail = f"Nothing was changed: pipe the key into --key {needed[0].connection}."
        raise InvalidInput(detail)
    connection = name or (needed[0].connection if needed else None)
    if connection is None:
        return None
    secret = SecretStr(read_key(prompt=f"Key of {connection}"))
    return checked(lambda: RollbackKey(connection=connection, api_key=secret), name="--key")
