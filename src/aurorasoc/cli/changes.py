"""Make a change at the shell, and print what it changed and led to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import TypeAdapter

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import say, say_json
from aurorasoc.errors import ModelCallError
from aurorasoc.granite.base_url import called_url
from aurorasoc.granite.catalog import CATALOG

if TYPE_CHECKING:
    from aurorasoc.config.snapshot import ConnectionConfig, Snapshot
    from aurorasoc.llm.changes.in_words import Difference
    from aurorasoc.llm.fleet.registry import FleetAdoption
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

Wait = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=60,
        metavar="SECONDS",
        help="Wait until all live processes have adopted it; exit with 1 if one hasn't.",
    ),
]

_STORES: Final = {"vault": "Vault", "database": "the database", "env": "the environment"}

_OLD_KEY: Final = {
    "in_use": "A process that hasn't adopted yet may still use the old key.",
    "ending": "Only runs that began with the old key may still use it.",
    "unused": "No live process uses the old key: it can be revoked.",
    "unknown": "Whether a process still uses the old key isn't known.",
}


def _already(_snapshot: Snapshot) -> str:
    return "Nothing changed: that was set already."


def make_change(
    work: Callable[[Runtime], Awaitable[tuple[MutationAnswer, Sequence[str]]]],
    *,
    as_json: bool,
    wait: float | None = None,
    already: Callable[[Snapshot], str] = _already,
) -> None:
    """Make a change, and print what it changed and what is in force then.

    Args:
        work: Makes it; returns its answer, and sentences on what it changed.
        as_json: Print the answer as JSON instead.
        wait: Seconds to wait until all live processes have adopted; None doesn't ask.
        already: Returns what is said where nothing changed.

    Raises:
        typer.Exit: A process hasn't adopted it in time.
    """

    async def run(runtime: Runtime) -> tuple[MutationAnswer, Sequence[str]]:
        before = runtime.adoption.snapshot.revision
        answer, lines = await work(runtime)
        if answer.revision == before:
            lines = (already(runtime.adoption.snapshot),)
        return await runtime.with_adoption(answer, wait), lines

    try:
        answer, lines = in_runtime(run)
    except ModelCallError as error:  # a test before the change
        error.detail += " Nothing was changed."
        raise
    if as_json:
        say_json(TypeAdapter(type(answer)).dump_python(answer, mode="json"))
    else:
        _say_answer(answer, lines)
    if answer.adoption is not None and not answer.adoption.adopted:
        raise typer.Exit(1)


def key_place(config: ConnectionConfig) -> str:
    """Say for which address a connection's key is, and in which store."""
    credential = config.credential
    if credential.source is None:
        return "nowhere"
    return f"for {credential.origin} in {_STORES[credential.source]}"


def calls_to(config: ConnectionConfig) -> str:
    """Say where a connection's calls go."""
    spec = CATALOG[config.provider]
    url = called_url(spec, config.base_url.value or spec.default_base_url)
    return f"Calls will go to {url}"


def difference_line(change: Difference, default: str = "boot default") -> str:
    """Say what a field was, and what it is.

    Args:
        change: The field.
        default: What is in force where nothing was chosen.
    """
    from aurorasoc.llm.changes.in_words import value_in_words  # noqa: PLC0415 - SQLAlchemy costs time

    field = change.field
    before, after = (
        value_in_words(field, value, default) for value in (change.before, change.after)
    )
    return f"{field}: {before} -> {after}"


def _say_answer(answer: MutationAnswer, lines: Sequence[str]) -> None:
    for line in lines:
        say(line)
    say(f"revision {answer.revision}, active: {answer.active.backend} {answer.active.model}")
    shown = answer.provider or answer.active
    for problem in shown.problems + shown.warnings:
        say(f"  {problem.code}: {problem.detail}")
    if answer.adoption is not None:
        say(adopted_line(answer.adoption))
    if answer.old_key is not None:
        say(_OLD_KEY[answer.old_key])
        if answer.old_key != "unknown":
            say(_last_used(answer.old_key_last_used_at))


def _last_used(at: str | None) -> str:
    if at is None:
        return "No live process has sent the old key since it started."
    return f"A live process last sent the old key at {at}."


def adopted_line(adoption: FleetAdoption) -> str:
    """Say who has adopted a change."""
    if adoption.adopted:
        return "Adopted by all live processes."
    if adoption.pending:
        return f"Not adopted yet by {', '.join(adoption.pending)}."
    return "Who has adopted it isn't known: the database doesn't say."
