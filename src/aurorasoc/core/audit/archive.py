"""Verify or export the whole audit log.

An export is JSON lines: one `{"kind": "key"}` line for each wrapped audit key, then one
`{"kind": "entry"}` line for each entry. Checking the links needs no seed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

from pydantic import SecretStr, TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.audit.log import used_audit_keys
from aurorasoc.core.audit.verify import Link, Verdict, verify
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditRow
from aurorasoc.core.keyring import Keyring, SeedChanged
from aurorasoc.errors import InvalidInput

_COLUMNS = tuple(field.name for field in fields(Link))
_BATCH = 10_000
_LINK = TypeAdapter(Link)


async def verify_database(
    url: str, anchors: Mapping[int, str], seeds: Sequence[SecretStr]
) -> Verdict:
    """Verify the log in the database."""
    database = Database(url)
    try:
        async with database.reading() as session:
            tokens = await _tokens(session)
            links = [link async for link in _links(session)]
    finally:
        await database.close()
    return verify(links, keys=_keys(tokens, seeds), anchors=anchors)


def verify_export(file: Path, anchors: Mapping[int, str], seeds: Sequence[SecretStr]) -> Verdict:
    """Verify an exported log.

    Raises:
        InvalidInput: The file can't be read, or a line isn't from an export.
    """
    tokens: dict[str, str] = {}
    try:
        with file.open(encoding="ascii") as lines:
            links = list(_parse(lines, tokens))
    except (OSError, UnicodeDecodeError):
        links = None
    if links is None:
        detail = "The export can't be read: give the path of a file that `audit export` wrote."
        raise InvalidInput(detail)
    return verify(links, keys=_keys(tokens, seeds), anchors=anchors)


async def export(url: str, out: TextIO) -> None:
    """Write keys and entries as JSON lines."""
    database = Database(url)
    try:
        async with database.reading() as session:
            for key_id, token in (await _tokens(session)).items():
                _write_line(out, {"kind": "key", "key_id": key_id, "token": token})
            async for link in _links(session):
                _write_line(out, {"kind": "entry", **asdict(link)})
    finally:
        await database.close()


def _write_line(out: TextIO, fields_: Mapping[str, Any]) -> None:
    out.write(json.dumps(fields_) + "\n")


async def _tokens(session: AsyncSession) -> dict[str, str]:
    return {row.key_id: row.token for row in await session.scalars(used_audit_keys())}


async def _links(session: AsyncSession) -> AsyncIterator[Link]:
    columns = [getattr(AuditRow, name) for name in _COLUMNS]
    rows = await session.stream(
        select(*columns).order_by(AuditRow.seq).execution_options(yield_per=_BATCH)
    )
    async for row in rows:
        yield Link(*row)


def _parse(lines: Iterable[str], tokens: dict[str, str]) -> Iterator[Link]:
    for number, line in enumerate(lines, 1):
        try:
            fields_ = json.loads(line)
            kind = fields_.pop("kind")
            if kind == "key":
                tokens[fields_["key_id"]] = fields_["token"]
                continue
            link = _link(fields_)
        except (ValueError, KeyError, TypeError, AttributeError):
            link = None
        if link is None:
            detail = f"Line {number} of the export is not a line that `audit export` wrote."
            raise InvalidInput(detail)
        yield link


def _link(fields_: dict[str, Any]) -> Link:
    """Read one entry: exactly these fields, each of its own type."""
    if fields_.keys() != set(_COLUMNS):
        msg = "fields"
        raise ValueError(msg)
    return _LINK.validate_json(json.dumps(fields_), strict=True)


def _keys(tokens: Mapping[str, str], seeds: Sequence[SecretStr]) -> dict[str, bytes] | None:
    """Unwrap the audit keys; None without a seed: then only links can be checked.

    If the seeds open no key, the result is empty, not None: otherwise emptying the table of
    audit keys would switch the check off.
    """
    if not seeds:
        return None
    keyring, keys = Keyring(seeds), {}
    for key_id, token in tokens.items():
        try:
            keys[key_id] = keyring.open("audit-key", token)
        except SeedChanged:
            continue
    return keys
