"""`aurorasoc investigate FILE`: an alert in, a report out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from aurorasoc.cli.alert_file import read_alert
from aurorasoc.cli.arguments import label_option
from aurorasoc.cli.output import AsJson, operator, say, say_json
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.printable import one_line

if TYPE_CHECKING:
    from aurorasoc.errors import Attempt
    from aurorasoc.workflows.investigation.store import NewInvestigation
    from aurorasoc.workflows.investigation.view import InvestigationView, Report

LOOK_SECONDS: Final = 0.25


def investigate(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="An alert in JSON; - is standard input.")
    ],
    line: Annotated[
        int | None, typer.Option(min=1, help="The line to take of a file of many records.")
    ] = None,
    tlp: Annotated[Tlp | None, label_option("Its label, which binds every step.")] = None,
    title: Annotated[str | None, typer.Option(help="Instead of the alert's own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Investigate an alert and print the report. Exits with 1 when there is none."""
    result = asyncio.run(_investigate(_read(file, line, tlp, title), quiet=as_json))
    if as_json:
        say_json(result)
    elif result.report is not None:
        _say_report(result.report)
    else:
        say(f"{result.status}: {_why_none(result)}")
    if result.status != "completed":
        raise typer.Exit(1)


def _read(file: BinaryIO, line: int | None, tlp: Tlp | None, title: str | None) -> NewInvestigation:
    from aurorasoc.workflows.investigation import alert, store  # noqa: PLC0415 - SQLAlchemy

    parsed = alert.parse_alert(read_alert(file, line))
    named = one_line(title or "")[: alert.MAX_TITLE] or parsed.title
    return store.NewInvestigation(parsed, named, tlp and tlp.value, operator())


async def _investigate(new: NewInvestigation, *, quiet: bool) -> InvestigationView:
    """Run it in this process. Others see it, and can resume it if this one stops."""
    from aurorasoc.runtime import open_runtime  # noqa: PLC0415 - SQLAlchemy costs time
    from aurorasoc.workflows.investigation.runner import open_runner  # noqa: PLC0415 - with it
    from aurorasoc.workflows.investigation.store import Viewer  # noqa: PLC0415 - with it
    from aurorasoc.workflows.investigation.view import look  # noqa: PLC0415 - with it

    viewer, printed = Viewer(new.actor, sees_all=False), set[int]()
    async with open_runtime(name="investigate") as runtime, open_runner(runtime) as runner:
        id_ = await runner.open(new)
        while True:
            now = await look(runtime.database, id_, viewer)
            if not quiet:
                _say_steps(now, printed)
            if now.status in {"completed", "failed", "interrupted"}:
                return now
            await asyncio.sleep(LOOK_SECONDS)


def _say_steps(now: InvestigationView, printed: set[int]) -> None:
    """Print each finished step once."""
    for step in now.steps:
        if step.status in {"completed", "failed"} and step.position not in printed:
            printed.add(step.position)
            who = f"{step.connection}:{step.model}" if step.connection else "nobody"
            why = f": {step.failure.detail}" if step.failure else ""
            say(f"{step.agent:<20} {step.status:<10} {who}{why}")
            for attempt in step.attempts:
                say(f"{'':<20} {_attempt(attempt)}")


def _attempt(attempt: Attempt) -> str:
    """Return who was asked, and its answer or its failure, as a line below the step."""
    result = "answered" if attempt.code is None else attempt.code
    who = f"{attempt.connection}:{attempt.model}" if attempt.model else attempt.connection
    return f"{who} {result} after {attempt.seconds:.1f} s"


def _why_none(result: InvestigationView) -> str:
    """Return why there is no report; for an interrupted investigation, how to resume it."""
    if result.failure is not None:
        return result.failure.detail
    return (
        "its lease expired, or another process took it. "
        f"POST /api/v1/investigations/{result.id}/resume resumes it after its last finished step."
    )


def _say_report(report: Report) -> None:
    say(f"\n{report.verdict}, severity {report.severity}, {report.confidence}% confident")
    for technique in report.techniques:
        say(f"  {technique.id} {technique.name}")
    for finding in report.findings:
        mark = "" if finding.quoted else " (not in the alert)"
        say(f"- {finding.title}: {finding.evidence}{mark}")
    for action in report.recommended_actions:
        say(f"> {action}")
