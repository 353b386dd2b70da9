"""Lay rows out in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> list[str]:
    """Return the lines of a table, its header first; a cell without a value shows `-`."""
    filled = [[cell or "-" for cell in row] for row in rows]
    columns = zip(header, *filled, strict=True)
    widths = [max(map(len, column)) for column in columns]
    return [_line(row, widths) for row in ([*header], *filled)]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()
