"""Read alerts: Suricata EVE, OCSF findings of class 2001 and 2004, plain JSON.

A record is kept whole, unknown fields included. Only title, severity and time are read from it,
for the list of investigations.

Sources: Suricata User Guide, "Eve JSON Format"; schema.ocsf.io, "Security Finding" (2001,
deprecated and common) and "Detection Finding" (2004).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from aurorasoc.core.clock import is_expressible, iso
from aurorasoc.errors import InvalidInput

MAX_BYTES: Final = 262_144
"""Of all records together, as JSON: an EVE record with payload and packet has about 100 KiB."""
MAX_DEPTH: Final = 32
MAX_RECORDS: Final = 20
MAX_TITLE: Final = 200

Format = Literal["suricata_eve", "ocsf", "json"]
Record = Mapping[str, Any]
AlertJson = dict[str, Any] | list[dict[str, Any]]

_FINDINGS: Final = {2001: "finding", 2004: "finding_info"}
"""OCSF classes, and the object that holds the title."""

_EVE_SEVERITY: Final = {1: "high", 2: "medium", 3: "low", 4: "informational"}
_OCSF_SEVERITY: Final = {
    1: "informational",
    2: "low",
    3: "medium",
    4: "high",
    5: "critical",
    6: "fatal",
}
_PLAIN_TITLES: Final = ("title", "name", "rule", "message", "description", "summary")
_PLAIN_TIMES: Final = ("time", "timestamp", "@timestamp", "created_at")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert to investigate. Only `records` covers more than the first record.

    Attributes:
        format: The record's format.
        title: The record's title.
        severity: In OCSF's words; None if the record has none.
        time: RFC 3339 in UTC; None if the record has none, or it can't be read.
        records: All records, unchanged.
    """

    format: Format
    title: str
    severity: str | None
    time: str | None
    records: tuple[Record, ...]

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON value
        """The unchanged alert: one object, or a list of them."""
        return self.records[0] if len(self.records) == 1 else list(self.records)


def parse_alert(document: object) -> Alert:
    """Read an alert.

    Args:
        document: A JSON object, or a list of objects that belong together.

    Raises:
        InvalidInput: It isn't an alert, is too large, or lacks what its format requires.
    """
    records = _records(document)
    first = records[0]
    kind = _format(first)
    title, severity, time = _READERS[kind](first)
    more = f" (and {len(records) - 1} more)" if len(records) > 1 else ""
    return Alert(kind, one_line(title)[: MAX_TITLE - len(more)] + more, severity, time, records)


def _records(document: object) -> tuple[Record, ...]:
    records = document if isinstance(document, list) else [document]
    if not 1 <= len(records) <= MAX_RECORDS or not all(isinstance(r, dict) and r for r in records):
        detail = f"alert must be a JSON object, or a list of 1 to {MAX_RECORDS} of them."
        raise InvalidInput(detail)
    if not is_shallow(records):
        detail = f"alert is nested more than {MAX_DEPTH} levels deep."
        raise InvalidInput(detail)
    return tuple(_storable(records))


def is_shallow(document: object) -> bool:
    """Whether a value is shallow enough for recursion; checked level by level."""
    level: list[object] = [document]
    for _ in range(MAX_DEPTH + 2):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return True
    return False


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _storable(records: list[Any]) -> list[Any]:
    """Return records that every database can store: bounded, and valid Unicode."""
    encoded = plain_json(records)
    if encoded is None:
        detail = "alert holds NaN or Infinity, which JSON doesn't have (RFC 8259 §6)."
        raise InvalidInput(detail)
    if len(encoded) > MAX_BYTES:
        detail = f"alert is larger than {MAX_BYTES // 1024} KiB. Leave packets and payloads out."
        raise InvalidInput(detail)
    read: list[Any] = json.loads(encoded)
    return read


def plain_json(value: object) -> bytes | None:
    """Write a value as JSON in UTF-8, without the lone surrogates that Python accepts.

    None if it holds NaN or Infinity, which Python accepts, too.
    """
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return None
    return written.encode("utf-8", "replace")  # replaces lone surrogates


def _format(record: Record) -> Format:
    if isinstance(record.get("event_type"), str) and "alert" in record:
        return "suricata_eve"
    return "ocsf" if _number(record.get("class_uid")) in _FINDINGS else "json"


_Read = tuple[str, str | None, str | None]


def _eve(record: Record) -> _Read:
    alert = record["alert"]
    if not isinstance(alert, dict) or not isinstance(alert.get("signature"), str):
        detail = "A Suricata EVE alert needs alert.signature, a text."
        raise InvalidInput(detail)
    severity = _number(alert.get("severity"))
    return alert["signature"], _EVE_SEVERITY.get(severity or 0), _time(record.get("timestamp"))


def _ocsf(record: Record) -> _Read:
    holder = _FINDINGS[record["class_uid"]]
    finding = record.get(holder)
    title = finding.get("title") if isinstance(finding, dict) else None
    title = title or record.get("message")
    if not isinstance(title, str) or not title.strip():
        detail = (
            f"An OCSF finding of class {record['class_uid']} needs {holder}.title or message, a "
            "text."
        )
        raise InvalidInput(detail)
    severity = _OCSF_SEVERITY.get(_number(record.get("severity_id")) or 0) or _word(
        record.get("severity")
    )
    return title, severity, _time(record.get("time"))


def _plain(record: Record) -> _Read:
    titles = [record[name] for name in _PLAIN_TITLES if isinstance(record.get(name), str)]
    times = [record[name] for name in _PLAIN_TIMES if name in record]
    return (
        next((t for t in titles if t.strip()), "Untitled alert"),
        _word(record.get("severity")),
        _time(times[0]) if times else None,
    )


_READERS: Final = {"suricata_eve": _eve, "ocsf": _ocsf, "json": _plain}


def _time(value: object) -> str | None:
    """Read RFC 3339 (EVE's offset has no colon) or milliseconds (OCSF's `timestamp_t`)."""
    milliseconds = _number(value)
    try:
        if milliseconds is not None:
            return iso(milliseconds * 1000) if is_expressible(milliseconds * 1000) else None
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except (ValueError, OverflowError):
        return None
    return None if at.tzinfo is None else _iso(at)


def _iso(at: datetime) -> str | None:
    try:
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(value: object) -> str | None:
    """Return a severity in lower case, without the blanks that vendors pad it with."""
    return (one_line(value).lower()[:32] or None) if isinstance(value, str) else None


def one_line(text: str) -> str:
    """Return a text without control characters, surrogates and line breaks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
