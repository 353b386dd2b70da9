"""Alerts are read in the formats that tools send, and kept whole."""

from copy import deepcopy
from typing import Any

import pytest

from aurorasoc.errors import InvalidInput
from aurorasoc.workflows.investigation.alert import MAX_DEPTH, MAX_TITLE, parse_alert
from tests.world.investigation import EVE, OCSF_2001, OCSF_2004, PLAIN


@pytest.mark.parametrize(
    ("document", "format_", "title", "severity", "time"),
    [
        (
            EVE,
            "suricata_eve",
            "EXAMPLE Web shell answers whoami with root",
            "high",
            "2026-03-02T13:15:31.204417Z",
        ),
        (
            OCSF_2001,
            "ocsf",
            "Kernel module loaded by insmod",
            "medium",
            "2026-03-02T09:15:31.204000Z",
        ),
        (
            OCSF_2004,
            "ocsf",
            "LSASS memory read by rundll32",
            "critical",
            "2026-03-02T09:15:31.204000Z",
        ),
        (PLAIN, "json", "Ten failed logins, then a success", None, None),
    ],
    ids=["eve", "ocsf-2001", "ocsf-2004", "json"],
)
def test_each_format_gives_title_severity_and_time(
    document: dict[str, Any], format_: str, title: str, severity: str | None, time: str | None
) -> None:
    """Severity in OCSF's words, time in UTC, whatever the tool writes."""
    alert = parse_alert(document)
    assert (alert.format, alert.title) == (format_, title)
    assert (alert.severity, alert.time) == (severity, time)


@pytest.mark.parametrize("document", [EVE, OCSF_2001, OCSF_2004, PLAIN])
def test_nothing_of_an_alert_is_lost(document: dict[str, Any]) -> None:
    """Unknown fields are kept, and so are payloads."""
    assert parse_alert(document).document == document


def test_records_that_belong_together_are_one_alert() -> None:
    """A list is kept as a list; the first record names it."""
    alert = parse_alert([EVE, PLAIN])
    assert alert.document == [EVE, PLAIN]
    assert alert.title == "EXAMPLE Web shell answers whoami with root (and 1 more)"


def test_an_ocsf_finding_without_a_title_is_named_by_its_message() -> None:
    """Vendors leave one of the two out."""
    document = {"class_uid": 2001, "message": "Something happened"}
    assert parse_alert(document).title == "Something happened"


def test_another_ocsf_class_is_taken_as_plain_json() -> None:
    """It may still be worth looking at."""
    assert parse_alert({"class_uid": 4001, "message": "A flow"}).format == "json"


@pytest.mark.parametrize(
    "document",
    [
        {"event_type": "alert", "alert": {"signature_id": 1}},
        {"event_type": "alert", "alert": {"signature": " "}},
        {"event_type": "alert", "alert": "text"},
        {"event_type": "alert", "alert": True},
        {"event_type": 7, "alert": {"signature": "x"}},
        {"class_uid": 2001, "finding": {"uid": "x"}},
        {"class_uid": 2004, "finding_info": None},
        {"class_uid": 2005, "finding_info_list": []},
        {"class_uid": 2005, "finding_info_list": [7]},
    ],
    ids=str,
)
def test_what_only_looks_like_a_format_is_plain_json(document: dict[str, Any]) -> None:
    """Other products have fields of these names, too."""
    alert = parse_alert({**document, "description": "Still an alert"})
    assert alert.format == "json"
    assert alert.document.keys() > document.keys()


@pytest.mark.parametrize(
    ("class_uid", "finding"),
    [
        (2001, {"finding": {"title": "T"}}),
        (2002, {"finding_info": {"title": "T"}}),
        (2003, {"finding_info": {"title": "T"}}),
        (2004, {"finding_info": {"title": "T"}}),
        ("2004", {"finding_info": {"title": "T"}}),
        (2005, {"finding_info_list": [{"title": "T"}, {"title": "U"}]}),
        (2005, {"desc": "T", "finding_info_list": [{"uid": "x"}]}),
        (2006, {"finding_info": {"title": "T"}}),
        (2007, {"finding_info": {"title": "T"}}),
    ],
    ids=str,
)
def test_each_class_of_ocsf_findings_is_read(class_uid: object, finding: dict[str, Any]) -> None:
    """All have title, severity and time in the same way, but for the incident's list."""
    alert = parse_alert(
        {"class_uid": class_uid, "severity_id": 4, "time": 1772442931204, **finding}
    )
    assert (alert.format, alert.title, alert.severity) == ("ocsf", "T", "high")
    assert alert.time == "2026-03-02T09:15:31.204000Z"


@pytest.mark.parametrize("class_uid", [[2004], {"a": 1}, "x", None, True])
def test_a_class_that_is_no_number_is_taken_as_plain_json(class_uid: object) -> None:
    """Nobody's field by that name has to be OCSF's."""
    assert parse_alert({"class_uid": class_uid, "message": "A flow"}).format == "json"


def test_an_alert_without_any_title_is_untitled() -> None:
    """Plain JSON owes us no field."""
    assert parse_alert({"a": 1}).title == "Untitled alert"


def test_a_title_is_one_bounded_line() -> None:
    """It stands in lists and logs."""
    alert = parse_alert({"title": "one\ntwo\x00 \u202e" + "x" * 1_000})
    assert alert.title.startswith("one two x")
    assert len(alert.title) <= MAX_TITLE


def test_a_lone_surrogate_is_replaced() -> None:
    """No database and no reader takes one."""
    assert parse_alert({"title": "a\ud800b"}).document == {"title": "a?b"}


def _nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"a": document}
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("text", "JSON object"),
        ([], "1 to 20"),
        ([{"a": 1}] * 21, "1 to 20"),
        ({}, "JSON object"),
        ([{"a": 1}, "b"], "JSON object"),
        ({"a": "x" * 300_000}, "256 KiB"),
        ({"a": float("nan")}, "NaN"),
        (_nested(100_000), "levels deep"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_alert_is_refused_with_what_is_missing(document: object, words: str) -> None:
    """The message names the field or the bound."""
    with pytest.raises(InvalidInput, match=words):
        parse_alert(document)


def test_the_deepest_alert_that_is_taken_can_be_read() -> None:
    """The bound is where it is said to be."""
    deepest = _nested(MAX_DEPTH)
    assert parse_alert(deepest).document == deepest
    with pytest.raises(InvalidInput):
        parse_alert(_nested(MAX_DEPTH + 3))


@pytest.mark.parametrize("severity", [None, True, [], {}, "   ", 10**30, 99])
def test_an_unreadable_severity_is_none(severity: object) -> None:
    """Nor is this."""
    document = deepcopy(EVE)
    document["alert"]["severity"] = severity
    assert parse_alert(document).severity is None
