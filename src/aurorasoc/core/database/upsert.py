"""Inserts that say what a row becomes that is there already, which each database has of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession


def insert_or(session: AsyncSession, row: type[Any]) -> Any:  # noqa: ANN401 - its dialect's insert
    """Return an insert into a row's table, with `on_conflict_do_nothing` and `…_do_update`.

    Its dialect is imported at the first use: PostgreSQL's costs a start on SQLite 18 ms.
    """
    dialect = import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}")
    return dialect.insert(row)
