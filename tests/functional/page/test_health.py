"""Whether connections answer, as the page says it."""

from typing import Any, Final

import pytest
from playwright.sync_api import Route, expect

from tests.functional.page.visit import Visit

GONE: Final = {"provider": "vllm", "base_url": "http://127.0.0.1:9/v1", "model": "granite-gone"}
SINCE: Final = "2026-11-23T09:05:00.000000Z"
HEALTH: Final = {"since": SINCE, "code": "unreachable", "open_in": 3, "processes": 8}
WHEN: Final = "since 23/11/2026 09:05 in 3 of 8 processes: "
WORDS: Final = {
    "open": f"Asked only now and then {WHEN}",
    "probing": f"Being tried again, asked only now and then {WHEN}",
    "ok": "Answering since 23/11/2026 09:05, not asked in 3 of 8 processes",
}


def show(visit: Visit, **fields: Any) -> None:
    """Show the connection in force with other fields."""

    def change(route: Route) -> None:
        answer = route.fetch()
        inventory = answer.json()
        (active,) = (row for row in inventory["providers"] if row["active"])
        active |= fields
        route.fulfill(response=answer, json=inventory)

    visit.page.route("**/api/v1/system/llm/providers", change)
    visit.sign_in()


@pytest.mark.parametrize("state", WORDS)
def test_page_says_that_a_connection_is_not_asked_and_where(visit: Visit, state: str) -> None:
    """In the card of what is in force, and in its row; nowhere in green."""
    code = None if state == "ok" else HEALTH["code"]
    show(visit, health={**HEALTH, "state": state, "code": code})
    for region in ("In force", "Connections"):
        mark = visit.page.get_by_role("region").filter(has_text=region).first.locator(".mark")
        expect(mark.filter(has_text=WORDS[state]).first).to_be_visible()
        expect(mark.filter(has_text=WORDS[state]).and_(visit.page.locator(".ok"))).to_have_count(0)
    visit.look(f"health-{state}")


def test_page_says_how_often_a_connection_declined(visit: Visit) -> None:
    """Once it has."""
    refusals = {"refused": 2, "blocked": 1, "calls": 120, "since": SINCE}
    show(visit, refusals=refusals, last_ok_at=SINCE)
    visit.says("declined 3 of 120 calls since")


def test_the_last_failure_of_a_connection_is_shown_with_its_code(visit: Visit) -> None:
    """And what that means."""
    visit.put_connection("gone-server", **GONE)
    test = visit.service.client().post("/system/llm/providers/gone-server/test", json={})
    assert test.json()["code"] == "unreachable"
    visit.sign_in()
    failures = visit.page.get_by_role("region", name="Last failures")
    entry = failures.get_by_role("listitem").filter(has_text="gone-server")
    expect(entry).to_contain_text("The provider can't be reached unreachable")
