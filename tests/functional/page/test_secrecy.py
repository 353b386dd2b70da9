"""What the page keeps to itself: keys, the token, and where it is willing to talk to."""

import json
from contextlib import suppress
from typing import Final

import pytest
from playwright.sync_api import Error, expect

from tests.functional.page.visit import Visit
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG, token
from tests.world.vendor import VendorServer

KEY: Final = VENDOR_KEYS["deepseek"]
OPENAI: Final = VENDOR_KEYS["openai"]
TYPED: Final = "gpt-4o-soc"
OTHER: Final = "gpt-5-soc"
STORED: Final = (
    "() => [localStorage.length, sessionStorage.length, document.cookie, location.search]"
)

WATCHED: Final = """() => {
    window.refused = new Promise((resolve) => {
        const name = (event) => resolve(event.effectiveDirective);
        document.addEventListener("securitypolicyviolation", name);
        setTimeout(() => resolve("nothing"), 40_000);
    });
}"""
ATTEMPTS: Final = {
    "script-src-elem": "() => import('data:text/javascript,1')",
    "require-trusted-types-for": "() => { document.body.innerHTML = '<i>x</i>'; }",
    "connect-src": "() => fetch('https://elsewhere.example/')",
    "img-src": "() => { new Image().src = 'https://elsewhere.example/'; }",
}


@pytest.fixture
def admin(visit: Visit) -> Visit:
    """Return an admin who has signed in."""
    visit.sign_in()
    return visit


def type_key(admin: Visit, key: str = KEY) -> None:
    """Open DeepSeek's form, and type a key."""
    admin.configure("DeepSeek").get_by_role("textbox", name="Key").fill(key)


def test_a_stored_key_is_nowhere_in_the_browser(admin: Visit) -> None:
    """Not in the document, its fields, storage, address, history, or console."""
    type_key(admin)
    assert KEY in admin.kept()  # the check can see it
    admin.button("Save").click()
    admin.says("The key is stored")
    assert KEY not in admin.kept()


def test_a_key_that_came_with_a_switch_is_nowhere_in_the_browser(admin: Visit) -> None:
    """Not behind the dialog either."""
    type_key(admin)
    admin.button("Switch to DeepSeek…").click()
    admin.button("Test and switch").click()
    admin.button("Done").wait_for()
    assert KEY not in admin.kept()
    admin.button("Done").click()
    assert admin.service.inventory()["active"]["backend"] == "deepseek"
    assert KEY not in admin.kept()


def test_what_is_typed_is_tested_and_sent_nowhere_else(
    admin: Visit, hosted: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what differs from what is saved is sent; a correction drops the verdict.

    The key goes with the test, and with the question for the models that it may use.
    """
    monkeypatch.setitem(hosted.models, "openai", [TYPED, OTHER])
    sent: list[tuple[str, str]] = []
    admin.page.on("request", lambda it: sent.append((it.url, it.post_data or "")))
    before = admin.service.inventory()["revision"]
    form = admin.configure("OpenAI or compatible")
    key = form.get_by_role("textbox", name="Key")
    model = form.get_by_role("combobox", name="Specialist model")
    key.fill(OPENAI)
    model.fill(TYPED)
    form.get_by_role("button", name="Test", exact=True).click()
    admin.says(f"{TYPED} answered.")
    admin.says("Nothing is saved yet.")
    admin.look("tested-as-typed")
    bodies = {url.rpartition("/")[2]: json.loads(it) for url, it in sent if OPENAI in it}
    assert bodies == {
        "models": {"api_key": OPENAI},
        "test": {"role": "specialist", "model": TYPED, "api_key": OPENAI},
    }
    expect(key).to_have_value(OPENAI)
    model.fill(OTHER)
    expect(form.get_by_text(f"{TYPED} answered.")).to_have_count(0)
    row = admin.service.row("openai")
    assert (row["key_present"], admin.service.inventory()["revision"]) == (False, before)


def test_a_key_is_hidden_while_it_is_typed_unless_it_is_asked_for(admin: Visit) -> None:
    """Each time the form is opened."""
    type_key(admin)
    field = admin.page.get_by_label("Key", exact=True)
    expect(field).to_have_attribute("type", "password")
    admin.button("Show what you type").click()
    expect(field).to_have_attribute("type", "text")


def test_a_pasted_key_loses_its_blanks(admin: Visit) -> None:
    """What a copy drags along is no part of a key."""
    type_key(admin, f"  {KEY} ")
    admin.button("Save").click()
    admin.says("The key is stored")
    assert admin.service.row("deepseek")["key_last4"] == KEY[-4:]


def test_nothing_is_written_to_storage_cookie_or_address(admin: Visit) -> None:
    """The token least of all."""
    assert admin.page.evaluate(STORED) == [0, 0, "", ""]


def test_the_token_is_not_in_the_document(visit: Visit) -> None:
    """It leaves its field with the sign-in."""
    secret = token()
    visit.open()
    visit.enter(secret)
    visit.page.get_by_role("heading", name="Connections").wait_for()
    assert secret not in visit.kept()


def test_a_reload_signs_out(admin: Visit) -> None:
    """Since the token is in memory only; the browser asks first (`test_leaving.py`)."""
    admin.page.reload()
    admin.button("Sign in").wait_for()
    assert not admin.page.get_by_role("heading", name="Connections").is_visible()


def test_signing_out_ends_the_stream_and_the_readings(admin: Visit) -> None:
    """No request carries the token afterwards."""
    admin.button("Sign out").click()
    admin.says("Signed out.")
    before = len(admin.asked)
    admin.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    admin.page.wait_for_timeout(1_500)
    assert admin.asked[before:] == []


def test_the_page_talks_to_its_own_origin_alone(admin: Visit) -> None:
    """An air-gapped site misses nothing."""
    admin.configure("DeepSeek")
    assert admin.asked
    assert {url for url in admin.asked if not url.startswith(f"{admin.service.url}/")} == set()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_browser_is_told_to_refuse_what_the_page_never_does(visit: Visit, attempt: str) -> None:
    """Text as script, text as markup, other origins, scripts that weren't there."""
    visit.open()
    visit.page.evaluate(WATCHED)
    with suppress(Error):  # some are refused with an exception, too
        visit.page.evaluate(ATTEMPTS[attempt])
    assert visit.page.evaluate("() => window.refused") == attempt


def test_a_viewer_is_offered_nothing_to_change(visit: Visit) -> None:
    """Inventory, processes, policy, usage and history, to read."""
    visit.sign_in("viewer")
    visit.says("read only")
    offered = visit.page.get_by_role("button").all_inner_texts()
    assert set(offered) <= {"Sign out", "Older", "Refresh"}
    assert not visit.page.get_by_role("heading", name="Audit log").is_visible()
    expect(visit.page.get_by_role("radio", name="RED")).to_be_disabled()
    visit.look("read-only", full=True)


def test_an_admin_sees_the_newest_audit_entries(visit: Visit) -> None:
    """Who did what, a moment ago."""
    visit.service.client(subject="carol").put(CONFIG, json={"provider": "ollama"})
    visit.sign_in()
    visit.page.get_by_role("region", name="Audit log").get_by_text("carol").first.wait_for()
