"""Read alerts: Suricata EVE, OCSF findings, other products' alerts and any other JSON.

A record is kept whole, unknown fields included. Only title, severity and time are read from it,
for the list of investigations.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from aurorasoc.core.printable import one_line
from aurorasoc.errors import InvalidInput
from aurorasoc.workflows.investigation.alert_shapes import (
    PLAIN,
    Record,
    at,
    eve_severity,
    opened,
    shape_of,
    word,
)
from aurorasoc.workflows.investigation.alert_times import time_of

MAX_BYTES: Final = 262_144
"""Of all records together, as JSON: an EVE record with payload and packet has about 100 KiB."""
MAX_DEPTH: Final = 32
MAX_RECORDS: Final = 20
MAX_TITLE: Final = 200

Format = Literal["suricata_eve", "ocsf", "json"]
AlertJson = dict[str, Any] | list[dict[str, Any]]

_FINDINGS: Final = {
    "2001": "finding",
    **dict.fromkeys(("2002", "2003", "2004", "2006", "2007"), "finding_info"),
    "2005": "finding_info_list",
}
"""OCSF's classes of findings, and what holds the title."""

_OCSF_SEVERITY: Final = {
    1: "informational",
    2: "low",
    3: "medium",
    4: "high",
    5: "critical",
    6: "fatal",
}


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
        InvalidInput: It isn't an alert, or is too large.
    """
    records = _records(document)
    first = records[0]
    kind, title, severity, time = _read(first)
    more = f" (and {len(records) - 1} more)" if len(records) > 1 else ""
    return Alert(kind, one_line(title)[: MAX_TITLE - len(more)] + more, severity, time, records)


def _records(document: object) -> tuple[Record, ...]:
    records = document if isinstance(document, list) else [document]
    if not 1 <= len(records) <= MAX_RECORDS or not all(isinstance(r, dict) and r for r in records):
        detail = (
            f"alert must be a JSON object, or a list of 1 to {MAX_RECORDS} of them, "
            "each with a field at least."
        )
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


_Read = tuple[Format, str, str | None, str | None]


def _read(record: Record) -> _Read:
    """Return format, title, severity and time. What only looks like a format is plain JSON."""
    return _eve(record) or _ocsf(record) or _plain(opened(record))


def _eve(record: Record) -> _Read | None:
    signature = _title(record, ("alert.signature",))
    if not isinstance(record.get("event_type"), str) or signature is None:
        return None
    severity = eve_severity(at(record, "alert.severity"))
    return "suricata_eve", signature, severity, time_of(record.get("timestamp"))


def _ocsf(record: Record) -> _Read | None:
    class_uid = record.get("class_uid")
    holder = _FINDINGS.get(str(class_uid)) if isinstance(class_uid, int | str) else None
    title = _title(record, (f"{holder}.title", "message", "desc")) if holder else None
    if title is None:
        return None
    severity_id = record.get("severity_id")
    severity = _OCSF_SEVERITY.get(severity_id) if type(severity_id) is int else None
    time = time_of(record.get("time")) or time_of(record.get("time_dt"))
    return "ocsf", title, severity or word(record.get("severity")), time


def _plain(record: Record) -> _Read:
    shape = shape_of(record)
    title = _title(record, (*shape.titles, *PLAIN.titles)) or "Untitled alert"
    severities = [
        *(shape.severity(at(record, path)) for path in shape.severities),
        *(word(at(record, path)) for path in PLAIN.severities),
    ]
    times = (time_of(at(record, path)) for path in (*shape.times, *PLAIN.times))
    return "json", title, next(filter(None, severities), None), next(filter(None, times), None)


def _title(record: Record, paths: tuple[str, ...]) -> str | None:
    texts = (at(record, path) for path in paths)
    return next((text for text in texts if isinstance(text, str) and one_line(text)), None)
