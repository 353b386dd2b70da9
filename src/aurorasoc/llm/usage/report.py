"""What was used between two times, by one of the names that calls have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, literal_column, select

from aurorasoc.config.budgets import usd
from aurorasoc.config.usage import Bucket, By
from aurorasoc.core.clock import iso
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import UsageRow
from aurorasoc.errors import InvalidInput
from aurorasoc.llm.usage.book import HOUR_US, Sums

LENGTHS: Final = {"hour": HOUR_US, "day": 24 * HOUR_US}
MOST_BUCKETS: Final = 1_000
MOST_ROWS: Final = 20_000

_COLUMNS: Final = {
    "connection": UsageRow.connection,
    "model": UsageRow.model,
    "agent": UsageRow.agent,
    "client": UsageRow.client,
    "tlp": UsageRow.tlp,
    "caller": UsageRow.subject,
}
_SUMS: Final = tuple(Sums.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The calls of one bucket and key.

    Attributes:
        bucket: When the hour or day (UTC) begins, ISO 8601.
        key: The connection, model, agent (or role), client, label or caller; null: none.
        calls: Calls that ended, in whichever way.
        failed: Those that ended with an error.
        abandoned: Those that their callers left.
        uncounted: Those of the others whose tokens nobody counted.
        unpriced: Those of the others that have no cost.
        prompt_tokens: Cached ones included; null if no call's were counted.
        completion_tokens: Thoughts included; null as above.
        cached_tokens: Of the prompts, from the vendor's cache; null if they were counted apart in
            no call.
        thought_tokens: Of the thoughts; null likewise.
        cost: In US dollars; null if no call has a price.
        requests: What was sent, retries included.
        failed_attempts: How often it failed a call, or was passed over, be it answered by another.
        seconds: How long a call took, on average; null without calls.
        first_token_seconds: How long streams took to their first piece, on average.
    """

    bucket: str
    key: str | None
    calls: int
    failed: int
    abandoned: int
    uncounted: int
    unpriced: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    thought_tokens: int | None
    cost: float | None
    requests: int
    failed_attempts: int
    seconds: float | None
    first_token_seconds: float | None


async def lines_between(
    database: Database, from_us: int, to_us: int, by: By, bucket: Bucket
) -> list[UsageLine]:
    """Return what was used, in order of time and key.

    Args:
        database: Holds the rows.
        from_us: The first time, in microseconds; its whole hour or day counts.
        to_us: The time after the last one.
        by: What to tell apart.
        bucket: How long a bucket is.

    Raises:
        InvalidInput: The times are in the wrong order or too far apart, or the rows too many.
        DatabaseUnavailable: The database doesn't answer.
    """
    length = LENGTHS[bucket]
    start = from_us - from_us % length
    _require_range(start, to_us, length, bucket)
    at = (UsageRow.hour_us - UsageRow.hour_us % literal_column(str(length))).label("at")
    key = _COLUMNS[by].label("key")
    sums = [func.sum(getattr(UsageRow, name)).label(name) for name in _SUMS]
    query = (
        select(at, key, *sums)
        .where(UsageRow.hour_us >= start, UsageRow.hour_us < to_us)
        .group_by(at, key)
        .order_by(at, key)
        .limit(MOST_ROWS + 1)
    )
    async with database.reading(once=True) as session:
        rows = (await session.execute(query)).mappings().all()
    if len(rows) > MOST_ROWS:
        detail = f"There are more than {MOST_ROWS} rows. Ask for a shorter time, or for days."
        raise InvalidInput(detail)
    return [_line(dict(row)) for row in rows]


def _require_range(start: int, to_us: int, length: int, bucket: Bucket) -> None:
    if to_us <= start:
        detail = "from must be earlier than to."
        raise InvalidInput(detail)
    if to_us - start > MOST_BUCKETS * length:
        detail = f"from and to may be {MOST_BUCKETS} {bucket}s apart. Ask for less at once."
        raise InvalidInput(detail)


def _line(row: dict[str, Any]) -> UsageLine:
    sums = Sums(**{name: int(row[name]) for name in _SUMS})
    counted = bool(sums.counted or not sums.uncounted)
    answered = bool(sums.counted or sums.uncounted)
    return UsageLine(
        iso(row["at"]),
        row["key"] or None,
        sums.calls,
        sums.failed,
        sums.abandoned,
        sums.uncounted,
        sums.unpriced,
        sums.prompt_tokens if counted else None,
        sums.completion_tokens if counted else None,
        sums.cached_tokens if sums.cached_counted or not answered else None,
        sums.thought_tokens if sums.thoughts_counted or not answered else None,
        usd(sums.micro_dollars) if sums.priced or not sums.unpriced else None,
        sums.sent,
        sums.failed_attempts,
        _mean(sums.milliseconds, sums.calls),
        _mean(sums.first_piece_milliseconds, sums.streams),
    )


def _mean(milliseconds: int, count: int) -> float | None:
    return round(milliseconds / count / 1000, 3) if count else None
