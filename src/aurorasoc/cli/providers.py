"""`aurorasoc providers …` and `aurorasoc key …`: admin operations at the shell.

They change the configured database directly; running processes adopt the changes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from pydantic import SecretStr, ValidationError

from aurorasoc.cli.model_facts import in_words
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.config.validation import rule_of
from aurorasoc.core.encodings import text_of
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.llm.admin import Admin, MutationAnswer
    from aurorasoc.llm.inventory import ConnectionView

T = TypeVar("T")

_MAX_INPUT: Final = 65_536
"""Bytes that are read of a key: more than the longest has, in any encoding."""

app = typer.Typer(help="Look at providers, switch, test.", no_args_is_help=True)
keys = typer.Typer(help="Store and remove provider keys.", no_args_is_help=True)

Provider = Annotated[str, typer.Argument(help="A connection: a built-in one, or a named one")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all providers; the active one is marked."""
    inventory = _run(lambda admin: admin.inventory())
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
    requested = _checked(lambda: ConfigRequest.model_validate({"provider": provider, **sent}))
    answer = _run(lambda admin: admin.switch(requested, actor=operator()))
    _say_mutation(answer, as_json=as_json)


@app.command("test")
def test(
    provider: Provider,
    role: Annotated[str, typer.Option(help="specialist or orchestrator")] = "specialist",
    as_json: AsJson = False,
) -> None:
    """Send a provider's model a one-word prompt. Exits with 1 when the test fails."""
    from aurorasoc.api.schemas import TestBody  # noqa: PLC0415 - the same rules as over REST

    body = _checked(lambda: TestBody.model_validate({"role": role}))
    result = _run(lambda admin: admin.test(provider, role=body.role, actor=operator()))
    if as_json:
        say_json(asdict(result))
    else:
        say(f"{result.code}: {result.detail} ({result.latency_ms} ms)")
    if not result.ok:
        raise typer.Exit(1)


@keys.command("set")
def set_key(
    provider: Provider,
    verify: Annotated[
        bool, typer.Option("--verify", help="Test the key first; store nothing if that fails.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store a key, read from standard input: an argument would show in the process list.

    Exits with 1 when its test fails.
    """
    from aurorasoc.llm.changes.requests import KeyRequest  # noqa: PLC0415 - the same rules as over REST

    api_key = _checked(lambda: KeyRequest(api_key=SecretStr(_read_key()))).api_key
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    change = key_edits.set_key(provider, api_key)
    answer = _run(lambda admin: admin.change(change, actor=operator(), verify=verify))
    _say_mutation(answer, as_json=as_json)


@keys.command("delete")
def delete_key(provider: Provider, as_json: AsJson = False) -> None:
    """Remove a stored key."""
    from aurorasoc.llm.changes import key_edits  # noqa: PLC0415 - SQLAlchemy costs time

    change = key_edits.delete_key(provider)
    answer = _run(lambda admin: admin.change(change, actor=operator()))
    _say_mutation(answer, as_json=as_json)


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


def _read_key() -> str:
    """Read a key from the terminal or from a pipe; the rules for keys refuse what is no text."""
    if sys.stdin.isatty():
        return str(typer.prompt("Key", hide_input=True))
    data = sys.stdin.buffer.read(_MAX_INPUT)
    try:
        return text_of(data)
    except UnicodeDecodeError:
        return data.decode("ascii", "replace")


def _run(work: Callable[[Admin], Awaitable[T]]) -> T:
    """Open the runtime for one use case."""
    from aurorasoc.runtime import open_runtime  # noqa: PLC0415 - SQLAlchemy costs time

    async def run() -> T:
        async with open_runtime(kind=None) as runtime:
            return await work(runtime.admin)

    return asyncio.run(run())


def _checked(build: Callable[[], T]) -> T:
    """Validate arguments by the rules of the REST bodies; never repeat a value."""
    try:
        return build()
    except ValidationError as error:
        issues = error.errors(include_input=False, include_url=False, include_context=False)
    field = str(issues[0]["loc"][0])
    expected = ", or ".join(rule_of(i["msg"]) for i in issues if i["loc"][0] == field)
    rules = expected.replace("Input should be", "must be", 1).replace("Input should be ", "")
    detail = f"{field}: {rules}."
    raise InvalidInput(detail)


def _say_mutation(answer: MutationAnswer, *, as_json: bool) -> None:
    if as_json:
        document = asdict(answer)
        # a shell command doesn't wait for other processes
        del document["adoption"], document["old_key"]
        say_json(document)
        return
    say(f"revision {answer.revision}, active: {answer.active.backend} {answer.active.model}")
    shown = answer.provider or answer.active
    for problem in shown.problems + shown.warnings:
        say(f"  {problem.code}: {problem.detail}")
