"""How quickly is an audit log verified, for each second of a processor?

Against hashing the same texts and nothing else: no parsing, no columns, no MACs.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.audit.verify import verify
from aurorasoc.core.database.tables import AuditRow
from benchmarks.rig.chain import KEY_ID, fill, honest_chain, sqlite_file
from benchmarks.rig.counts import Counts
from benchmarks.rig.pairs import Pairs, Sample, alternate
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import migrated_settings

_BAR: Final = Bar(150_000, on="ours", at_least=True)
_UNIT: Final = "entries/s"
_PEER: Final = "SHA-256 over the same texts"


def measure(counts: Counts) -> list[Row]:
    """Verify and hash, in turn."""
    return asyncio.run(_measure(counts))


async def _measure(counts: Counts) -> list[Row]:
    links_only, macs = await _in_memory(counts)
    stored = await _stored(counts)
    return [
        _row("verify: links and columns", links_only, bar=_BAR),
        _row("verify: links, columns and MACs", macs),
        _row("verify: the same, read from SQLite", stored, peer="read from SQLite and hashed"),
    ]


def _row(name: str, pairs: Pairs, *, peer: str = _PEER, bar: Bar | None = None) -> Row:
    return row(name, pairs.ours, pairs.theirs, peer=peer, unit=_UNIT, bar=bar)


async def _in_memory(counts: Counts) -> list[Pairs]:
    key = secrets.token_bytes(32)
    links = list(honest_chain(counts.links, key))
    texts = [link.entry for link in links]

    def checked(keys: Mapping[str, bytes] | None) -> None:
        assert verify(links, keys=keys).fault is None

    hashed = _rate(lambda: [hashlib.sha256(text.encode()).hexdigest() for text in texts], counts)
    return [
        await alternate(_rate(lambda k=keys: checked(k), counts), hashed, rounds=counts.rounds)  # type: ignore[misc]  # a default makes a lambda's type unknown
        for keys in (None, {KEY_ID: key})
    ]


async def _stored(counts: Counts) -> Pairs:
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name:
        settings = migrated_settings(Path(name))
        await asyncio.to_thread(fill, settings, counts.links)
        file = sqlite_file(settings.database_url)

        async def ours() -> float:
            began = time.process_time()
            verdict = await verify_database(settings.database_url, {}, settings.security.seeds)
            assert (verdict.fault, verdict.authenticity) == (None, "verified")
            return counts.links / (time.process_time() - began)

        return await alternate(ours, _rate(lambda: _hash_all(file), counts), rounds=counts.rounds)


def _hash_all(file: Path) -> None:
    query = f"SELECT entry, hash FROM {AuditRow.__tablename__} ORDER BY seq"  # noqa: S608 - our own name
    with closing(sqlite3.connect(file)) as connection:
        for entry, stored in connection.execute(query):
            assert hashlib.sha256(entry.encode()).hexdigest() == stored


def _rate(work: Callable[[], object], counts: Counts) -> Sample:
    async def sample() -> float:
        began = time.process_time()
        work()
        return counts.links / (time.process_time() - began)

    return sample
