"""Alerts in the formats that tools send, and a vendor who plays all parts of an investigation."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tests.world.vendor import Question, VendorServer

EVE: Final[dict[str, Any]] = {
    "timestamp": "2026-03-02T08:15:31.204417-0500",
    "flow_id": 733118842650021,
    "event_type": "alert",
    "src_ip": "192.0.2.44",
    "src_port": 80,
    "dest_ip": "10.20.0.15",
    "dest_port": 51744,
    "proto": "TCP",
    "alert": {
        "action": "allowed",
        "gid": 1,
        "signature_id": 1000017,
        "rev": 2,
        "signature": "EXAMPLE Web shell answers whoami with root",
        "category": "Potentially Bad Traffic",
        "severity": 1,
    },
    "http": {"hostname": "shop.example", "url": "/uploads/a.php", "status": 200, "length": 24},
    "payload": "SFRUUC8xLjEgMjAwIE9LDQoNCnVpZD0wKHJvb3QpCg==",
    "payload_printable": "HTTP/1.1 200 OK\r\n\r\nuid=0(root)\n",
    "packet": "2MuK7aFGABUXDQb3CABFAAAo",
    "packet_info": {"linktype": 1},
    "site_tag": "kept though unknown",
}
"""A Suricata EVE alert, written for these tests."""

OCSF_2001: Final[dict[str, Any]] = {
    "class_uid": 2001,
    "category_uid": 2,
    "type_uid": 200101,
    "time": 1772442931204,
    "severity": " Medium ",
    "finding": {"title": "Kernel module loaded by insmod", "uid": "f-1", "types": ["syscalls"]},
    "metadata": {"version": "0.1.0", "product": {"name": "Falco"}},
    "raw_data": '{"rule":"Kernel module loaded by insmod","hostname":"host7.example"}',
    "vendor_field": {"kept": True},
}
"""An OCSF Security Finding (deprecated, and common), written for these tests."""

OCSF_2004: Final[dict[str, Any]] = {
    "class_uid": 2004,
    "category_uid": 2,
    "type_uid": 200401,
    "time": 1772442931204,
    "severity_id": 5,
    "finding_info": {"title": "LSASS memory read by rundll32", "uid": "f-2"},
    "metadata": {"version": "1.3.0", "product": {"name": "Example EDR"}},
}
"""An OCSF Detection Finding, written for these tests."""

PLAIN: Final[dict[str, Any]] = {"title": "Ten failed logins, then a success", "user": "alice"}
TEAM: Final = ("network-security", "threat-hunter")


class Script:
    """What a vendor answers to each question of an investigation; it notes what it was asked.

    `team` is whom the plan names; who is in `failing` answers nothing usable. `plan`, `examined`
    and `concluded` are answered as they stand, and may be replaced. What `then` holds for a kind of
    step is done before its answer goes out.
    """

    def __init__(self, team: Sequence[str] = TEAM, failing: Sequence[str] = ()) -> None:
        """Prepare the answers."""
        self.failing = set(failing)
        self.asked: list[Question] = []
        self.then: dict[str, Callable[[], object]] = {}
        self.plan: dict[str, Any] = {
            "specialists": [
                {"agent": name, "question": f"What does {name} see?", "why": f"{name} knows."}
                for name in team
            ]
        }
        self.examined: dict[str, Any] = {
            "findings": [{"title": "A web shell answered", "evidence": "uid=0(root)"}],
            "techniques": ["T1505.003"],
        }
        self.concluded: dict[str, Any] = {
            "verdict": "true_positive",
            "severity": "high",
            "confidence": 90,
            "techniques": ["T1505.003", "T9999"],
            "findings": [
                {"title": "A web shell answered", "evidence": "uid=0(root)"},
                {"title": "Nobody said this", "evidence": "words that no alert has"},
            ],
            "recommended_actions": ["Isolate 10.20.0.15"],
        }

    def __call__(self, question: Question) -> str:
        """Answer, as `VendorServer.wording`."""
        self.asked.append(question)
        kind = kind_of(question)
        self.then.get(kind, bool)()
        if kind == "specialist" and any(f"{name} see" in question.prompt for name in self.failing):
            return json.dumps({"findings": []})
        answers = {"plan": self.plan, "specialist": self.examined, "report": self.concluded}
        return json.dumps(answers[kind]) if kind in answers else "pong"

    def of_kind(self, kind: str) -> list[Question]:
        """Return what was asked for one kind of step."""
        return [question for question in self.asked if kind_of(question) == kind]


def kind_of(question: Question) -> str:
    """Tell a question by what it wants."""
    fields = set((question.schema or {}).get("properties", {}))
    if "specialists" in fields:
        return "plan"
    if "verdict" in fields:
        return "report"
    return "specialist" if "findings" in fields else "chat"


@contextmanager
def playing(script: Script, *servers: VendorServer) -> Iterator[Script]:
    """Let servers answer by a script for the length of a `with` block."""
    before = [server.wording for server in servers]
    for server in servers:
        server.wording = script
    try:
        yield script
    finally:
        for server, wording in zip(servers, before, strict=True):
            server.wording = wording
