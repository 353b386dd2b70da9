"""The link that `aurorasoc dev` prints: it signs in with one click, and keeps its token hidden."""

from pathlib import Path
from typing import Final

from playwright.sync_api import expect

from aurorasoc.cli.dev.first_run import FirstRun
from aurorasoc.web import SETTINGS_PAGE
from tests.functional.page.visit import Visit
from tests.world.service import token

LOADED_FROM: Final = "() => performance.getEntriesByType('navigation')[0].name"


def link(visit: Visit, secret: str) -> str:
    """Return the link as it is printed."""
    return FirstRun(visit.service.url, secret, None, Path()).sign_in_link


def address(visit: Visit) -> str:
    """Return the page's address without anything behind it."""
    return f"{visit.service.url}{SETTINGS_PAGE}"


def paste(visit: Visit, url: str) -> None:
    """Enter an address of the open page, as in the browser's address bar: it isn't loaded anew."""
    visit.page.evaluate("(url) => { location.href = url; }", url)


def test_the_link_signs_in_and_its_token_is_nowhere_in_the_browser(visit: Visit) -> None:
    """Not in the document, fields, storage, address, history, or console.

    One place can't be cleared: the address that the tab was loaded from. Only the page's own
    scripts can read it, and only until the tab is reloaded or closed.
    """
    secret = token()
    visit.page.goto(link(visit, secret))
    visit.page.get_by_role("heading", name="Connections").wait_for()
    assert visit.page.url == address(visit)
    assert visit.kept().count(secret) == visit.page.evaluate(LOADED_FROM).count(secret) == 1


def test_the_token_leaves_the_address_where_the_page_cannot_start(visit: Visit) -> None:
    """No other script is needed for it."""
    visit.page.route("**/app.js", lambda route: route.abort())
    visit.page.goto(link(visit, token()))
    assert visit.page.url == address(visit)


def test_a_link_that_has_expired_says_so_and_the_form_stays(visit: Visit) -> None:
    """And its token has left the address all the same."""
    visit.page.goto(link(visit, "expired"))
    visit.says("The token was refused")
    assert visit.page.url == address(visit)
    visit.enter(token())
    visit.page.get_by_role("heading", name="Connections").wait_for()


def test_a_link_signs_in_on_a_page_that_waits_for_a_sign_in(visit: Visit) -> None:
    """Pasted into the address of a tab that is open already."""
    visit.open()
    visit.button("Sign in").wait_for()
    paste(visit, link(visit, token()))
    visit.page.get_by_role("heading", name="Connections").wait_for()
    assert visit.page.url == address(visit)


def test_a_link_does_not_replace_who_is_signed_in(visit: Visit) -> None:
    """What they do next would be recorded under another name; the page says that they stayed."""
    visit.sign_in(subject="alice")
    secret = token(subject="mallory")
    paste(visit, link(visit, secret))
    visit.says("You are still signed in as alice.")
    expect(visit.page.get_by_text("mallory")).to_have_count(0)
    assert visit.page.url == address(visit)
    assert secret not in visit.kept()
