"""Alerts as products send them: their title, severity and time are found.

The shapes are the vendors' (see the module under test); the values are made up.
"""

from typing import Any, Final

import pytest

from aurorasoc.workflows.investigation.alert import parse_alert

MORNING: Final = "2026-01-02T10:00:00Z"
SECONDS: Final = 1_767_348_000
MORNING_US: Final = "2026-01-02T10:00:00.000000Z"

ELASTIC: Final = {
    "@timestamp": MORNING,
    "event": {"kind": "signal", "severity": 47},
    "host": {"name": "ws-1"},
    "message": "process started",
    "kibana.alert.reason": "process event on ws-1 created medium alert",
    "kibana.alert.rule.name": "Hash on blocklist",
    "kibana.alert.severity": "medium",
}
WAZUH: Final = {
    "timestamp": "2026-01-02T11:00:00.000+0100",
    "rule": {"level": 10, "description": "sshd: brute force", "id": "5712"},
    "agent": {"id": "001", "name": "web-01"},
    "full_log": "Failed password for root",
}
INCIDENT: Final = {
    "id": "/subscriptions/s/providers/Microsoft.SecurityInsights/Incidents/73e01a99",
    "name": "73e01a99-5cd7-4139-a149-9f2736ff2ab5",
    "properties": {"title": "Sign-in", "severity": "High", "createdTimeUtc": MORNING},
}
NOTABLE: Final = {
    "search_name": "Access - Excessive Failed Logins - Rule",
    "rule_name": "Excessive Failed Logins",
    "rule_title": "Excessive failed logins from 198.51.100.23",
    "severity": "low",
    "urgency": "high",
    "_time": str(SECONDS),
}
FALCON: Final = {
    "metadata": {"eventType": "EppDetectionSummaryEvent", "eventCreationTime": SECONDS * 1000},
    "event": {"Name": "NGAV", "Description": "Adware", "Severity": 30, "SeverityName": "Low"},
}

Row = tuple[dict[str, Any], str, str | None, str | None]

PRODUCTS: Final[dict[str, Row]] = {
    "elastic security": (ELASTIC, "Hash on blocklist", "medium", MORNING),
    "elastic security, objects": (
        {
            "@timestamp": MORNING,
            "kibana": {"alert": {"rule": {"name": "Nested"}, "severity": "low"}},
        },
        *("Nested", "low", MORNING),
    ),
    "elastic security, lists of one": (
        {
            "@timestamp": [MORNING],
            "kibana.alert.original_time": [MORNING],
            "kibana.alert.rule.name": ["In a list"],
            "kibana.alert.severity": ["critical"],
        },
        *("In a list", "critical", MORNING),
    ),
    "elastic security 7": (
        {"@timestamp": MORNING, "signal": {"rule": {"name": "Old", "severity": "high"}}},
        *("Old", "high", MORNING),
    ),
    "elasticsearch hit": (
        {"_index": ".alerts", "_id": "x", "_source": ELASTIC},
        *("Hash on blocklist", "medium", MORNING),
    ),
    "filebeat, suricata": (
        {
            "@timestamp": MORNING,
            "event": {"kind": "alert", "severity": 1},
            "rule": {"name": "ET POLICY X"},
            "suricata": {"eve": {"alert": {"signature": "ET POLICY X", "severity": 1}}},
        },
        *("ET POLICY X", "high", MORNING),
    ),
    "suricata without event_type": (
        {"timestamp": MORNING, "alert": {"signature": "ET X", "severity": 3}},
        *("ET X", "low", MORNING),
    ),
    "wazuh": (WAZUH, "sshd: brute force", "medium", MORNING),
    "wazuh, indexed": ({"_source": WAZUH}, "sshd: brute force", "medium", MORNING),
    "sentinel incident": (INCIDENT, "Sign-in", "high", MORNING),
    "sentinel playbook": (
        {"objectSchemaType": "Incident", "object": INCIDENT},
        *("Sign-in", "high", MORNING),
    ),
    "sentinel alert, REST": (
        {
            "name": "guid",
            "properties": {
                "alertDisplayName": "Test alert",
                "severity": "Informational",
                "timeGenerated": MORNING,
            },
        },
        *("Test alert", "informational", MORNING),
    ),
    "SecurityAlert": (
        {
            "TimeGenerated": MORNING,
            "AlertName": "Impossible travel",
            "DisplayName": "Impossible travel activity",
            "AlertSeverity": "Medium",
        },
        *("Impossible travel activity", "medium", MORNING),
    ),
    "SecurityIncident": (
        {"TimeGenerated": MORNING, "Title": "Many sign-ins", "Severity": "High"},
        *("Many sign-ins", "high", MORNING),
    ),
    "defender, graph": (
        {"title": "Hidden file", "severity": "medium", "createdDateTime": MORNING},
        *("Hidden file", "medium", MORNING),
    ),
    "defender for cloud, exported": (
        {"AlertDisplayName": "Suspicious process", "Severity": "High", "TimeGenerated": MORNING},
        *("Suspicious process", "high", MORNING),
    ),
    "splunk notable": (NOTABLE, "Excessive failed logins from 198.51.100.23", "high", MORNING_US),
    "splunk webhook": (
        {"sid": "s", "search_name": "sudo", "result": {"_raw": "x", "_time": str(SECONDS)}},
        *("sudo", None, MORNING_US),
    ),
    "splunk webhook of a notable": (
        {"search_name": "Rule", "result": NOTABLE},
        *("Excessive failed logins from 198.51.100.23", "high", MORNING_US),
    ),
    "crowdstrike stream": (FALCON, "NGAV", "low", MORNING_US),
    "crowdstrike stream, older": (
        {
            "metadata": {"eventCreationTime": SECONDS * 1000},
            "event": {"DetectName": "Stale endpoint", "SeverityName": "High", "Severity": 4},
        },
        *("Stale endpoint", "high", MORNING_US),
    ),
    "crowdstrike alerts API": (
        {
            "display_name": "PowerShell download",
            "name": "ProcessRollup",
            "severity": 70,
            "severity_name": "High",
            "created_timestamp": MORNING,
        },
        *("PowerShell download", "high", MORNING),
    ),
    "zeek notice": (
        {"ts": SECONDS + 0.5, "note": "Scan::Port_Scan", "msg": "scanned 15 ports", "src": "::1"},
        *("scanned 15 ports", None, "2026-01-02T10:00:00.500000Z"),
    ),
    "zeek notice without message": (
        {"ts": MORNING, "note": "Scan::Port_Scan"},
        *("Scan::Port_Scan", None, MORNING),
    ),
    "graylog": (
        {"version": "1.1", "short_message": "Blocked", "timestamp": SECONDS, "level": 4},
        *("Blocked", None, MORNING_US),
    ),
    "qradar": (
        {"id": 591, "description": "DOS\n", "start_time": SECONDS * 1000, "magnitude": 3},
        *("DOS", None, MORNING_US),
    ),
    "thehive": (
        {"title": "Login", "severity": 3, "date": SECONDS * 1000, "tlp": 2},
        *("Login", None, MORNING_US),
    ),
    "guardduty": (
        {"title": "Recon", "severity": 5.0, "createdAt": MORNING, "schemaVersion": "2.0"},
        *("Recon", None, MORNING),
    ),
    "guardduty over eventbridge": (
        {"detail-type": "GuardDuty Finding", "detail": {"title": "Recon", "createdAt": MORNING}},
        *("Recon", None, MORNING),
    ),
    "security hub": (
        {"Title": "Open ports", "Severity": {"Label": "HIGH"}, "CreatedAt": MORNING},
        *("Open ports", "high", MORNING),
    ),
}


@pytest.mark.parametrize("row", PRODUCTS.values(), ids=PRODUCTS)
def test_each_products_alert_is_read_and_kept(row: Row) -> None:
    """As its vendor documents it."""
    document, *expected = row
    alert = parse_alert(document)
    assert [alert.title, alert.severity, alert.time] == expected
    assert (alert.format, alert.document) == ("json", document)


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        *((0, "low"), (6, "low"), (7, "medium"), (11, "medium"), (12, "high"), (14, "high")),
        *((15, "critical"), (16, "critical"), (True, None), ("10", None)),
    ],
)
def test_wazuhs_levels_are_those_of_its_dashboard(level: object, severity: str | None) -> None:
    """Low to 6, medium to 11, high to 14, critical above."""
    assert parse_alert({"rule": {"level": level, "description": "x"}}).severity == severity


@pytest.mark.parametrize(
    "document",
    [
        {"title": None, "name": ["a"], "description": "Real one"},
        {"title": " \n", "name": {"a": 1}, "description": "Real one"},
        {"rule": {"level": 3, "description": 7}, "description": "Real one"},
        {"kibana.alert.rule.name": [], "description": "Real one"},
        {"kibana": {"alert": [{"rule": "x"}]}, "description": "Real one"},
        {"properties": {"severity": "High", "title": []}, "description": "Real one"},
        {"_source": "x", "detail-type": 1, "object": [], "description": "Real one"},
    ],
    ids=str,
)
def test_a_field_of_another_kind_is_passed_over(document: dict[str, Any]) -> None:
    """Not every field by a product's name is the product's."""
    assert parse_alert(document).title == "Real one"


def test_a_number_is_no_severity_unless_its_scale_is_known() -> None:
    """9 of 10, or of 100: only the product knows."""
    assert parse_alert({"title": "x", "severity": 9}).severity is None
