"""`python -m benchmarks [NAME …] [--quick] [--markdown]`.

Exit codes: 0 every bar is met, 1 one is missed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Final

from benchmarks.rig import machine
from benchmarks.rig.counts import FULL, QUICK, SMOKE, Counts
from benchmarks.rig.rows import Row

NAMES: Final = (
    "ready",
    "pool",
    "handle",
    "breaker",
    "budgets",
    "usage",
    "fail_over",
    "chat",
    "proxy",
    "append",
    "verify",
    "writers",
    "fleet",
    "stall",
    "faults",
)

_HEADINGS: Final = ("measured", "against", "ratio (lowest–highest)", "medians", "bar", "met")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, and print a table."""
    asked = _parser().parse_args(arguments)
    counts = SMOKE if asked.smoke else QUICK if asked.quick else FULL
    before, rows = machine.load(), []
    for name in asked.names or NAMES:
        _progress(f"measuring {name} …")
        rows += _measure(name, counts)
    if asked.json:
        print(json.dumps([{**asdict(row), "met": row.met} for row in rows]))
    else:
        print(f"{machine.described()}; load {before} before, {machine.load()} after\n")
        print(_markdown(rows) if asked.markdown else _table(rows))
    return int(not asked.smoke and any(row.met is False for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help=_listed())
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds: a first impression")
    size.add_argument("--smoke", action="store_true", help="one of each: shows that all of it runs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    form.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(_listed())
    return text


def _listed() -> str:
    return f"one of {', '.join(NAMES)}; without any, all"


def _measure(name: str, counts: Counts) -> list[Row]:
    """Import late: what one question needs must not weigh on another's."""
    measure: Callable[[Counts], list[Row]] = import_module(f"benchmarks.{name}").measure
    return measure(counts)


def _table(rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _markdown(rows: Sequence[Row]) -> str:
    lines = [_HEADINGS, tuple("---" for _ in _HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
