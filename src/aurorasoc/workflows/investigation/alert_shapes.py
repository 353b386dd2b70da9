"""Where products' alerts have their title, severity and time.

Sources: Suricata User Guide, "Eve JSON Format"; schema.ocsf.io, classes 2001 to 2007; Wazuh,
"Rules classification" and the levels of its dashboard; Elastic Security's alert schema and ECS;
Microsoft's tables SecurityAlert and SecurityIncident, the incidents of its REST API and Graph's
alerts_v2; Splunk's webhook action and Enterprise Security's notable events; CrowdStrike's event
streams and alerts API; Zeek, notice.log; AWS Security Finding Format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aurorasoc.core.printable import one_line

Record = Mapping[str, Any]

_ENVELOPES: Final = {"_source": "_source", "detail-type": "detail", "objectSchemaType": "object"}
"""What tells that a record wraps another, and where: an Elasticsearch hit, an event of Amazon
EventBridge, the trigger of a Sentinel playbook."""

_EVE_SEVERITY: Final = {1: "high", 2: "medium", 3: "low", 4: "informational"}


def word(value: object) -> str | None:
    """Return a severity in lower case, without the blanks that vendors pad it with."""
    return (one_line(value).lower()[:32] or None) if isinstance(value, str) else None


def eve_severity(value: object) -> str | None:
    """Return the severity of Suricata's priority."""
    return _EVE_SEVERITY.get(value) if type(value) is int else None


def wazuh_severity(level: object) -> str | None:
    """Return the severity that Wazuh's dashboard shows for a rule's level, 0 to 16."""
    if type(level) is not int:
        return None
    return next(name for least, name in _WAZUH_LEVELS if level >= least or least == 0)


_WAZUH_LEVELS: Final = ((15, "critical"), (12, "high"), (7, "medium"), (0, "low"))


@dataclass(frozen=True, slots=True)
class Shape:
    """One product's names, the best first. A dot stands for an object inside, or for itself.

    Attributes:
        mark: The field that only this product's alerts have; "" for any JSON.
        titles: Where a title may be.
        severities: Where a severity may be.
        times: Where a time may be.
        severity: Reads a severity.
    """

    mark: str
    titles: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    severity: Callable[[object], str | None] = word


PLAIN: Final = Shape(
    "",
    titles=(
        *("title", "Title", "rule_title", "display_name", "AlertDisplayName", "name", "rule"),
        *("rule.name", "rule_name", "message", "short_message", "description", "summary"),
        *("msg", "note"),
    ),
    severities=("severity", "Severity", "severity_name", "Severity.Label"),
    times=(
        *("time", "timestamp", "@timestamp", "_time", "ts", "created_at", "createdAt"),
        *("created_timestamp", "createdDateTime", "CreatedAt", "TimeGenerated", "date"),
        "start_time",
    ),
)
"""Any JSON. What a product's own shape doesn't find is looked for here, too."""

SHAPES: Final = (
    Shape(
        "kibana.alert.rule.name",
        ("kibana.alert.rule.name",),
        ("kibana.alert.severity",),
        ("@timestamp", "kibana.alert.original_time"),
    ),
    Shape("signal.rule.name", ("signal.rule.name",), ("signal.rule.severity",)),
    Shape(
        "suricata.eve.alert.signature",  # Filebeat
        ("suricata.eve.alert.signature",),
        ("suricata.eve.alert.severity",),
        ("suricata.eve.timestamp",),
        eve_severity,
    ),
    Shape("alert.signature", ("alert.signature",), ("alert.severity",), (), eve_severity),
    Shape("rule.level", ("rule.description",), ("rule.level",), (), wazuh_severity),
    Shape(
        "properties.severity",  # Sentinel and Defender for Cloud, over REST
        ("properties.title", "properties.alertDisplayName"),
        ("properties.severity",),
        ("properties.createdTimeUtc", "properties.timeGeneratedUtc", "properties.timeGenerated"),
    ),
    Shape("AlertSeverity", ("DisplayName", "AlertName"), ("AlertSeverity",), ("TimeGenerated",)),
    Shape(
        "search_name",  # Splunk
        ("rule_title", "result.rule_title", "rule_name", "result.rule_name", "search_name"),
        ("urgency", "result.urgency", "severity", "result.severity"),
        ("_time", "result._time"),
    ),
    Shape(
        "metadata.eventCreationTime",  # CrowdStrike's event streams
        ("event.DetectName", "event.Name", "event.DetectDescription", "event.Description"),
        ("event.SeverityName",),
        ("metadata.eventCreationTime",),
    ),
    PLAIN,
)


def opened(record: Record) -> Record:
    """Return the alert inside an envelope, or the record itself."""
    for mark, holder in _ENVELOPES.items():
        inner = record.get(holder) if mark in record else None
        if isinstance(inner, Mapping):
            return inner
    return record


def shape_of(record: Record) -> Shape:
    """Return the first shape whose mark the record has; the last one has none."""
    return next(shape for shape in SHAPES if not shape.mark or at(record, shape.mark) is not None)


def at(record: Record, path: str) -> object:
    """Return what is at a path; None if nothing is. Of a list, the first item counts.

    Elastic writes `kibana.alert.severity` as one name or as objects inside each other, and its
    actions write each value as a list of one. A list at a name without a dot is taken as it is.
    """
    if path in record:
        return _first(record[path]) if "." in path else record[path]
    for end in (index for index, character in enumerate(path) if character == "."):
        inner, rest = _first(record.get(path[:end])), path[end + 1 :]
        if isinstance(inner, Mapping):
            return _first(at(inner, rest))
    return None


def _first(value: object) -> object:
    if isinstance(value, list):
        return value[0] if value else None
    return value
