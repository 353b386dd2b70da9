"""The part of an alert that goes into prompts: readable, bounded, and neutralised.

Bytes that no language model can read (packets, encoded payloads) are left out. Long texts are
cut, with a mark that says how much is missing. The stored alert stays whole.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aurorasoc.workflows.investigation.alert import Alert, is_shallow, plain_json
from aurorasoc.workflows.investigation.fence import neutral

MAX_TEXT: Final = 500
"""Characters of one text."""
MAX_EVIDENCE: Final = 6_000
"""Characters of all texts: about 2,000 tokens, half of what the smallest models hold."""

_BLANKS: Final = re.compile(r"\\[nrt]")
"""Blanks as JSON writes them in a text."""

_UNREADABLE: Final = frozenset({"packet", "packet_info"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """An alert's evidence: one line of JSON, of which a prompt shows the beginning.

    Attributes:
        text: All of it, however long.
    """

    text: str

    def shown(self, most: int = MAX_EVIDENCE) -> str:
        """Return the first `most` characters, with a mark that says how many are missing."""
        return _cut(self.text, most)

    def left_out(self, most: int = MAX_EVIDENCE) -> int:
        """Return how many characters `shown` leaves out."""
        return max(0, len(self.text) - most)


def whole_evidence(alert: Alert) -> Evidence:
    """Return an alert's evidence, the same for every prompt of its investigation."""
    head = {"format": alert.format, "title": alert.title, "time": alert.time}
    if alert.severity is not None:
        head["severity"] = alert.severity
    records = [_readable(record) for record in alert.records]
    return Evidence(neutral({**head, "records": records}))


def stands_in(evidence: str, quoted: str) -> bool:
    """Whether the evidence contains a quotation, ignoring case and blanks."""
    whole = _plain(evidence)
    quotations = map(_plain, (neutral(quoted)[1:-1], quoted))
    return any(quotation and quotation in whole for quotation in quotations)


def _readable(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {
            _cut(key, MAX_TEXT): _readable(inner, key)
            for key, inner in _with_text(value).items()
            if key not in _UNREADABLE
        }
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    if isinstance(value, str):
        return _unfolded(value) if name == "raw_data" else _cut(value, MAX_TEXT)
    return value


def _with_text(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace EVE's base64 payload by its text."""
    payload = record.get("payload")
    if not isinstance(payload, str):
        return record
    rest = {key: value for key, value in record.items() if key != "payload"}
    return rest if "payload_printable" in rest else {**rest, "payload_text": _decoded(payload)}


def _decoded(payload: str) -> str:
    try:
        return base64.b64decode(payload, validate=True).decode("ascii", "replace")
    except (binascii.Error, ValueError):
        return payload


def _unfolded(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read OCSF's `raw_data`, which is often JSON inside a text."""
    inner = _object_in(text) if len(text) <= MAX_EVIDENCE else None
    return _cut(text, MAX_TEXT) if inner is None else _readable(inner)


def _object_in(text: str) -> Any:  # noqa: ANN401 - any JSON object
    """Read a JSON object; None if the text isn't one, or it can't be written again."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, Mapping) or not is_shallow(document):
        return None
    written = plain_json(document)
    return None if written is None else json.loads(written)


def _cut(text: str, length: int) -> str:
    missing = len(text) - length
    return text if missing <= 0 else f"{text[:length]} (cut: {missing} more characters)"


def _plain(text: str) -> str:
    return "".join(_BLANKS.sub("", text).split()).casefold()
