"""Stopping all hosted traffic on the page: asked once, shown on top, released with a reason."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.functional.page.visit import Visit
from tests.world.service import Service

STOP = "/system/llm/hosted-traffic"


@pytest.fixture
def stopping(context: BrowserContext, service: Service) -> Iterator[Visit]:
    """Yield a visitor of the shared service, whose traffic is allowed afterwards."""
    yield Visit(context, service)
    service.client().put(STOP, json={"state": "allowed", "reason": "the test is over"})


def test_an_admin_stops_and_allows_hosted_traffic(stopping: Visit) -> None:
    """What ends is said before; who, when and why stands on top until it is released."""
    visit = stopping
    visit.sign_in()
    visit.button("Stop all hosted traffic…").click()
    asked = visit.dialog("Stop all hosted traffic?")
    expect(asked).to_contain_text("end at once, in every process")
    asked.get_by_role("textbox", name="Reason").fill("incident at a vendor")
    visit.look("hosted-stop-asked")
    visit.button("Stop now").click()
    banner = visit.page.get_by_role("alert").filter(has_text="Hosted traffic is stopped")
    expect(banner).to_contain_text("incident at a vendor")
    expect(visit.button("Stop all hosted traffic…")).to_have_count(0)
    visit.look("hosted-stopped")
    assert visit.service.inventory()["hosted_traffic"]["state"] == "stopped"
    visit.button("Allow it again…").click()
    allow = visit.button("Allow hosted traffic")
    expect(allow).to_be_disabled()
    released = visit.dialog("Allow hosted traffic again?")
    released.get_by_role("textbox", name="Reason").fill("all clear")
    allow.click()
    expect(banner).to_have_count(0)
    assert visit.service.inventory()["hosted_traffic"]["reason"] == "all clear"


def test_a_reason_that_was_typed_is_not_lost_by_a_key(stopping: Visit) -> None:
    """Escape asks first, before a stop and before its release."""
    visit = stopping
    visit.sign_in()
    visit.button("Stop all hosted traffic…").click()
    _leaves_only_if_sure(visit, "Stop all hosted traffic?")
    visit.service.client().put(STOP, json={"state": "stopped", "reason": None})
    visit.button("Allow it again…").click()
    _leaves_only_if_sure(visit, "Allow hosted traffic again?")


def _leaves_only_if_sure(visit: Visit, title: str) -> None:
    asked = visit.dialog(title)
    reason = asked.get_by_role("textbox", name="Reason")
    reason.fill("incident at a vendor")
    visit.page.keyboard.press("Escape")
    visit.button("Keep editing").click()
    expect(reason).to_have_value("incident at a vendor")
    visit.page.keyboard.press("Escape")
    visit.button("Discard and close").click()
    expect(asked).to_have_count(0)


def test_what_is_in_force_says_that_nothing_goes_there(stopping: Visit) -> None:
    """A hosted connection's labels aren't said to be allowed while it isn't called."""
    visit = stopping
    visit.service.client().put(STOP, json={"state": "stopped", "reason": None})
    _change_inventory(visit, lambda one: _active(one).update(provider="openai"))
    visit.sign_in()
    visit.says("Nothing goes there: hosted traffic is stopped.")


def test_a_switch_to_what_is_stopped_is_not_said_to_answer(stopping: Visit) -> None:
    """Neither before it is made nor after; who stopped it is."""
    visit = stopping
    visit.put_connection("deepseek", provider="deepseek", api_key="sk-page-0123456789abcdef")
    visit.service.client().put(STOP, json={"state": "stopped", "reason": "incident"})
    visit.sign_in()
    visit.button("Switch to DeepSeek").click()
    asked = visit.dialog("Switch to DeepSeek?")
    expect(asked).to_contain_text("Hosted traffic is stopped: nothing is sent there")
    asked.get_by_role("checkbox").uncheck()
    asked.get_by_role("button", name="Switch", exact=True).click()
    made = visit.dialog("Every process has adopted it")
    expect(made).to_contain_text("(incident)")
    expect(made).not_to_contain_text("answers from now on")


def test_a_host_that_stops_by_its_file_isnt_said_to_be_allowed(stopping: Visit) -> None:
    """The button releases the database's stop alone; who listens is told what still holds."""
    visit = stopping
    held = {"state": "stopped", "here": True, "everywhere": True}
    _change_inventory(visit, lambda one: one["hosted_traffic"].update(held))
    visit.sign_in()
    visit.button("Allow it again…").click()
    released = visit.dialog("Allow hosted traffic again?")
    released.get_by_role("textbox", name="Reason").fill("all clear")
    visit.button("Allow hosted traffic").click()
    visit.says("A file on the service's host still stops hosted traffic.")


def test_a_stop_by_a_hosts_file_alone_is_not_offered_to_be_allowed(stopping: Visit) -> None:
    """A release here would change nothing; what ends it is said."""
    visit = stopping
    held = {"state": "stopped", "here": True, "everywhere": False}
    _change_inventory(visit, lambda one: one["hosted_traffic"].update(held))
    visit.sign_in()
    banner = visit.page.get_by_role("alert").filter(has_text="Hosted traffic is stopped")
    expect(banner).to_contain_text("aurorasoc hosted allow --here --reason")
    expect(visit.page.get_by_role("button", name="Allow it again…")).to_have_count(0)


def test_processes_that_lag_behind_a_release_are_not_to_be_stopped(stopping: Visit) -> None:
    """The hint to stop them by a file belongs to a stop."""
    visit = stopping
    visit.service.client().put(STOP, json={"state": "stopped", "reason": None})
    visit.sign_in()
    visit.page.route("**/hosted-traffic?*", _left_behind)
    visit.button("Allow it again…").click()
    released = visit.dialog("Allow hosted traffic again?")
    released.get_by_role("textbox", name="Reason").fill("all clear")
    visit.button("Allow hosted traffic").click()
    notice = released.get_by_role("alert").filter(has_text="api-1")
    expect(notice).to_be_visible()
    expect(notice).not_to_contain_text("hosted stop")


def _left_behind(route: Route) -> None:
    """Answer as if a process hadn't adopted the change."""
    answer = route.fetch()
    adoption = {"adopted": False, "pending": ["api-1"]}
    route.fulfill(response=answer, json=answer.json() | {"adoption": adoption})


def _change_inventory(visit: Visit, change: Callable[[dict[str, Any]], None]) -> None:
    def changed(route: Route) -> None:
        answer = route.fetch()
        inventory = answer.json()
        change(inventory)
        route.fulfill(response=answer, json=inventory)

    visit.page.route("**/api/v1/system/llm/providers", changed)


def _active(inventory: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = inventory["providers"]
    (active,) = (row for row in rows if row["active"])
    return active


def test_whoever_may_only_read_sees_the_stop_and_no_button(stopping: Visit) -> None:
    """A stop is an admin's."""
    visit = stopping
    stopped = visit.service.client().put(STOP, json={"state": "stopped", "reason": "incident"})
    assert stopped.status_code == 200
    visit.sign_in("analyst")
    banner = visit.page.get_by_role("alert").filter(has_text="Hosted traffic is stopped")
    expect(banner).to_contain_text("incident")
    expect(visit.page.get_by_role("button", name="Allow it again…")).to_have_count(0)
