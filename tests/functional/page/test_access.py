"""By keyboard, by screen reader, on a phone."""

import re
from typing import Final

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.functional.page.visit import HEALTHY, Visit
from tests.world.service import CONFIG

FAILING: Final = re.compile(r"Failing since \d\d:\d\d: The provider can't be reached")
DEAD: Final = {"provider": "vllm", "base_url": "http://127.0.0.1:9/v1", "model": "granite-lab"}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

SEEN: Final = """() => {{
    Object.defineProperty(document, "visibilityState", {{ value: "{}", configurable: true }});
    document.dispatchEvent(new Event("visibilitychange"));
}}"""

EACH_READING_SLOWER: Final = """() => {
    const send = window.fetch;
    let readings = 0;
    window.fetch = async (...request) => {
        if (String(request[0]).endsWith("/system/llm/providers")) {
            readings += 1;
            await new Promise((done) => setTimeout(done, 500 * readings));
        }
        return send(...request);
    };
}"""


@pytest.fixture
def admin(visit: Visit) -> Visit:
    """Return an admin who has signed in."""
    visit.sign_in()
    return visit


def focus_by_tab(visit: Visit, target: Locator) -> None:
    """Press Tab until something has the focus; forty times are enough for this page."""
    for _ in range(40):
        visit.page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    pytest.fail("Tab never came there")


def test_a_visitor_signs_in_by_keyboard(visit: Visit) -> None:
    """Tab, type, Enter; the focus then stands at the page's content."""
    visit.open()
    field = visit.page.get_by_role("textbox", name="Bearer token")
    focus_by_tab(visit, field)
    visit.enter_by_keyboard()
    visit.page.get_by_role("heading", name="Connections").wait_for()
    expect(visit.page.get_by_role("main")).to_be_focused()


def test_a_dialog_takes_the_focus_and_gives_it_back(admin: Visit) -> None:
    """To the button that opened it."""
    opener = admin.button("Configure vLLM")
    focus_by_tab(admin, opener)
    admin.page.keyboard.press("Enter")
    title = admin.dialog("vLLM").get_by_role("heading", name="vLLM")
    expect(title).to_be_focused()
    admin.page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_the_focus_is_not_lost_with_the_button_that_opened_a_dialog(admin: Visit) -> None:
    """After a switch there is no button for that switch."""
    admin.button("Switch to Ollama").click()
    admin.button("Test and switch").click()
    admin.button("Done").click()
    expect(admin.page.get_by_role("main")).to_be_focused()


def test_a_change_is_over_once_the_page_shows_it(admin: Visit) -> None:
    """A reading that a later one overtakes shows nothing: the button would go away afterwards."""
    admin.page.evaluate(EACH_READING_SLOWER)
    admin.button("Switch to Ollama").click()
    admin.button("Test and switch").click()
    admin.button("Done").click()
    expect(admin.button("Switch to Ollama")).to_have_count(0)
    expect(admin.page.get_by_role("main")).to_be_focused()


def test_the_focus_stays_inside_a_dialog(admin: Visit) -> None:
    """What is behind it can't be reached."""
    admin.configure("vLLM")
    inside = "() => !document.activeElement || document.activeElement === document.body"
    inside += " || document.activeElement.closest('dialog') !== null"
    for _ in range(20):
        admin.page.keyboard.press("Tab")
        assert admin.page.evaluate(inside)


def test_what_happened_is_read_out(admin: Visit) -> None:
    """A saved change is in an alert, which screen readers announce."""
    admin.page.get_by_role("radio", name="CLEAR may be published").check()
    admin.save_the_policy()
    expect(admin.page.get_by_role("alert")).to_contain_text("The policy is saved")


def test_a_state_is_told_in_words(visit: Visit) -> None:
    """Without its colour and shape the row says the same."""
    asked = {"messages": [{"role": "user", "content": "ping"}]}
    assert visit.service.client().post("/chat", json=asked).is_success  # whatever tests did before
    visit.sign_in()
    row = visit.row("vLLM")
    expect(row).to_contain_text(HEALTHY)
    expect(row).to_contain_text("stays local")
    expect(row).to_contain_text("in force")


def test_a_tab_that_is_not_seen_holds_no_connection(admin: Visit) -> None:
    """Browsers give all tabs of a site six of them; one that comes back is live again."""
    live = admin.page.get_by_role("region", name="Processes").get_by_text("live")
    live.wait_for()
    admin.page.evaluate(SEEN.format("hidden"))
    expect(live).to_have_count(0)
    admin.page.evaluate(SEEN.format("visible"))
    live.wait_for()


def test_a_phone_needs_no_sideways_scrolling(admin: Visit) -> None:
    """And every cell carries its column's name."""
    admin.page.set_viewport_size(PHONE)
    admin.look("phone")
    assert admin.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    admin.configure("DeepSeek")
    admin.look("phone-form")
    assert admin.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_large_text_needs_no_sideways_scrolling(admin: Visit) -> None:
    """At 400 % a wide window is as narrow as this (WCAG 2.2, 1.4.10)."""
    admin.page.set_viewport_size({"width": 320, "height": 256})
    assert admin.page.evaluate("document.documentElement.scrollWidth") == 320


def test_what_is_ready_and_fails_says_so_in_words_and_is_not_green(admin: Visit) -> None:
    """In the table and where it is in force; a change of the model starts anew."""
    admin.put_connection("own-server", **DEAD)
    admin.service.client().put(CONFIG, json={"provider": "own-server"})
    places = admin.page.get_by_role("region", name="own-server"), admin.row("own-server")
    for place in places:
        expect(place).to_contain_text("Not called yet")
    admin.configure("own-server").get_by_role("button", name="Test", exact=True).click()
    for place in places:
        expect(place).to_contain_text(FAILING)
        expect(place.locator(".ok")).to_have_count(0)
    admin.page.keyboard.press("Escape")
    admin.look("failing", of=admin.page.get_by_role("region", name="Connections"))
    admin.put_connection("own-server", **DEAD | {"model": "granite-other"})
    for place in places:
        expect(place).to_contain_text("Not called yet")
