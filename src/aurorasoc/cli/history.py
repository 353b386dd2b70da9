"""`aurorasoc history list|show` and `reset`: what changed, and the way back to the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from aurorasoc.cli.changes import Wait, difference_line, make_change
from aurorasoc.cli.consent import ask
from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.cli.previews import Sure, TestFirst, say_preview
from aurorasoc.cli.table import table

if TYPE_CHECKING:
    from aurorasoc.llm.changes.history import HistoryPage, RevisionDetail
    from aurorasoc.llm.mutations import MutationAnswer
    from aurorasoc.runtime import Runtime

app = typer.Typer(help="What changed, when, and by whom.", no_args_is_help=True)

_MOST: Final = 2**63 - 1
"""The largest number that the database holds."""

_HEADER: Final = ("REVISION", "AT", "ACTOR", "ACTION", "CHANGED")

Revision = Annotated[
    int,
    typer.Argument(min=1, max=_MOST, metavar="REVISION", help="As `history list` numbers them."),
]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    before: Annotated[
        int | None, typer.Option(min=1, max=_MOST, help="Only those older than this revision.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the latest revisions, newest first."""
    from aurorasoc.llm.changes.history import list_revisions  # noqa: PLC0415 - SQLAlchemy costs time

    async def work(runtime: Runtime) -> HistoryPage:
        async with runtime.database.reading() as session:
            return await list_revisions(session, before=before, limit=limit)

    page = in_runtime(work)
    if as_json:
        say_json(page)
        return
    rows = [
        (str(r.revision), r.at, r.actor, r.action, "; ".join(r.summary)) for r in page.revisions
    ]
    for line in table(_HEADER, rows):
        say(line)
    if page.next_before is not None:
        say(f"Older ones: --before {page.next_before}")


@app.command()
def show(revision: Revision, as_json: AsJson = False) -> None:
    """Print what a revision changed. Changes of keys are in the audit log."""
    detail = in_runtime(lambda runtime: _detail(runtime, revision))
    if as_json:
        say_json(detail)
        return
    say(f"revision {detail.revision}, {detail.at}, {detail.actor}: {detail.action} {detail.target}")
    for line in _lines(detail):
        say(line)


def reset(
    *,
    test_first: TestFirst = False,
    yes: Sure = False,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the boot defaults. Keys, policy, and connections that were added stay.

    Shows what changes of what is in force, and asks. Exits with 1 when a test fails.
    """
    from aurorasoc.llm.changes import edits  # noqa: PLC0415 - SQLAlchemy costs time

    preview = in_runtime(lambda runtime: runtime.admin.preview_reset())
    say_preview(preview, as_json=as_json)
    if preview.changes and not yes:
        ask("Go back to the boot defaults?")

    async def work(runtime: Runtime) -> tuple[MutationAnswer, list[str]]:
        change = edits.reset()
        answer = await runtime.admin.change(
            change, actor=operator(), if_match=preview.based_on, verify=test_first
        )
        return answer, []

    make_change(work, wait=wait, as_json=as_json)


async def _detail(runtime: Runtime, revision: int) -> RevisionDetail:
    from aurorasoc.llm.changes.history import read_revision  # noqa: PLC0415 - SQLAlchemy costs time

    async with runtime.database.reading() as session:
        return await read_revision(session, revision)


def _lines(detail: RevisionDetail) -> list[str]:
    return [difference_line(one) for one in detail.changes] or ["No value changed."]
