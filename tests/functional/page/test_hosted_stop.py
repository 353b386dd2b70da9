"""Stopping all hosted traffic on the page: asked once, shown on top, released with a reason."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

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


def test_whoever_may_only_read_sees_the_stop_and_no_button(stopping: Visit) -> None:
    """A stop is an admin's."""
    visit = stopping
    stopped = visit.service.client().put(STOP, json={"state": "stopped", "reason": "incident"})
    assert stopped.status_code == 200
    visit.sign_in("analyst")
    banner = visit.page.get_by_role("alert").filter(has_text="Hosted traffic is stopped")
    expect(banner).to_contain_text("incident")
    expect(visit.page.get_by_role("button", name="Allow it again…")).to_have_count(0)
