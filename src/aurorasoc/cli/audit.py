"""`aurorasoc audit verify|export`: verify or export the log."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.config.settings import load_settings
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.core.audit.verify import Verdict

app = typer.Typer(help="Verify and export the audit log.", no_args_is_help=True)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option(help="An export to verify instead of the database.")
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="SEQ:HASH from a log line; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the chain. Exits with 1 and names the first wrong entry."""
    from aurorasoc.core.audit import archive  # noqa: PLC0415 - SQLAlchemy costs time

    anchors = _anchors(anchor or [])
    if file is not None:
        verdict = archive.verify_export(file, anchors, load_settings().security.seeds)
    else:
        settings = load_settings()
        verdict = asyncio.run(
            archive.verify_database(settings.database_url, anchors, settings.security.seeds)
        )
    _report(verdict, as_json=as_json)


@app.command()
def export() -> None:
    """Write every entry as a line of JSON. To standard output, oldest first."""
    from aurorasoc.core.audit import archive  # noqa: PLC0415 - SQLAlchemy costs time

    asyncio.run(archive.export(load_settings().database_url, sys.stdout))


def _report(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "ok": verdict.fault is None,
                "entries": verdict.entries,
                "head": verdict.head,
                "fault": verdict.fault,
                "authenticity": verdict.authenticity,
            }
        )
    elif verdict.fault is None:
        say(f"{verdict.entries} entries, the chain holds; authenticity {verdict.authenticity}.")
        say(f"head {verdict.entries}:{verdict.head}")
    else:
        say(f"{verdict.entries} entries hold, then {verdict.fault}.")
    if verdict.fault is not None:
        raise typer.Exit(1)


def _anchors(texts: list[str]) -> dict[int, str]:
    anchors = {}
    for text in texts:
        seq, colon, digest = text.partition(":")
        if not (colon and digest and seq.isascii() and seq.isdigit()):
            detail = "--anchor takes SEQ:HASH, for instance 42:9f3c…, as in the log line."
            raise InvalidInput(detail)
        anchors[int(seq)] = digest.lower()
    return anchors
