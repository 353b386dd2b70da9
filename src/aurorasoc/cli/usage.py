"""`aurorasoc usage`: how much was used, by whom, and what it cost."""

from __future__ import annotations

import csv
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aurorasoc.cli.in_runtime import in_runtime
from aurorasoc.cli.output import AsJson, say, say_json
from aurorasoc.cli.table import table
from aurorasoc.config.usage import Bucket, By
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aurorasoc.llm.usage.report import UsageLine
    from aurorasoc.runtime import Runtime

_HEADER: Final = ("FROM", "KEY", "CALLS", "FAILED", "PROMPT", "ANSWER", "CACHED", "COST (USD)")

_FIELDS: Final = re.compile(r"\b(from|to)(?= must|\.$)")
"""What refusals name as REST does."""


def usage(  # noqa: PLR0913 - an option each
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", help="A date or time, UTC; by default 30 days before --to."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="A date (to its end) or time, UTC; by default now.")
    ] = None,
    by: Annotated[By, typer.Option(help="What each row is about.")] = "connection",
    bucket: Annotated[Bucket, typer.Option(help="Add up by hour or by day.")] = "day",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with all columns.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print calls, tokens and cost. `-` stands for what is not known."""
    from aurorasoc.core.clock import iso  # noqa: PLC0415 - SQLAlchemy costs time
    from aurorasoc.llm.usage.report import lines_between  # noqa: PLC0415 - the same
    from aurorasoc.llm.usage.span import span_of  # noqa: PLC0415 - the same

    if as_csv and as_json:
        detail = "--csv and --json exclude each other."
        raise InvalidInput(detail)

    async def work(runtime: Runtime) -> list[UsageLine]:
        return await lines_between(runtime.database, from_us, to_us, by, bucket)

    try:
        from_us, to_us = span_of(start, to)
        lines = in_runtime(work)
    except InvalidInput as error:
        raise InvalidInput(_FIELDS.sub(r"--\1", error.detail)) from None
    if as_json:
        say_json({"from": iso(from_us), "to": iso(to_us), "rows": lines})
    elif as_csv:
        _say_csv(lines)
    else:
        for line in table(_HEADER, map(_cells, lines)):
            say(line)


def _say_csv(lines: Sequence[UsageLine]) -> None:
    from aurorasoc.llm.usage.report import UsageLine  # noqa: PLC0415 - SQLAlchemy costs time

    writer = csv.DictWriter(sys.stdout, UsageLine.__dataclass_fields__)
    writer.writeheader()
    for line in lines:
        writer.writerow({**asdict(line), "key": _inert(line.key)})


def _inert(key: str | None) -> str:
    """Return a name that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{key}" if key and key[0] in "=+-@\t\r" else key or ""


def _cells(line: UsageLine) -> tuple[str | None, ...]:
    cost = None if line.cost is None else f"{line.cost:.4f}"
    counts = (line.prompt_tokens, line.completion_tokens, line.cached_tokens)
    return (
        line.bucket[:16].replace("T", " "),
        line.key,
        str(line.calls),
        str(line.failed),
        *(None if count is None else str(count) for count in counts),
        cost,
    )
