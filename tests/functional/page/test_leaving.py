"""Reloading, going back and closing ask first: a token and what is typed are kept nowhere."""

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.functional.page.visit import Visit, leave_and_stay, leave_unasked

TYPED: Final = "a-model-of-mine"
KEY: Final = "sk-not-a-real-key-0000"
WAYS: Final = {"reload": "location.reload()", "back": "history.back()"}


@pytest.mark.parametrize("way", WAYS)
def test_leaving_asks_first_and_nothing_typed_is_lost(visit: Visit, way: str) -> None:
    """Model and key are still there, and nowhere in storage."""
    visit.page.goto("about:blank")
    visit.sign_in()
    form = visit.configure("DeepSeek")
    form.get_by_role("combobox", name="Specialist model").fill(TYPED)
    form.get_by_role("textbox", name="Key").fill(KEY)
    assert leave_and_stay(visit.page, WAYS[way]) == ["beforeunload"]
    expect(form.get_by_role("combobox", name="Specialist model")).to_have_value(TYPED)
    expect(form.get_by_role("textbox", name="Key")).to_have_value(KEY)
    assert visit.page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 0]


def test_leaving_asks_first_as_it_signs_out(visit: Visit) -> None:
    """Also where nothing is typed; not once somebody has signed out."""
    visit.sign_in()
    assert leave_and_stay(visit.page, WAYS["reload"]) == ["beforeunload"]
    visit.page.get_by_role("heading", name="Connections").wait_for()
    visit.button("Sign out").click()
    visit.says("Signed out.")
    assert leave_unasked(visit.page)
    visit.button("Sign in").wait_for()


def test_closing_an_assignment_with_something_typed_asks_first(visit: Visit) -> None:
    """As a connection's form does."""
    visit.sign_in()
    visit.button("Assign another agent…").click()
    form = visit.dialog("Assign an agent")
    form.get_by_role("textbox", name="Agent").fill("our-own")
    visit.page.keyboard.press("Escape")
    visit.button("Keep editing").click()
    expect(form.get_by_role("textbox", name="Agent")).to_have_value("our-own")


def test_a_refused_sign_in_is_one_sentence_that_is_true(visit: Visit) -> None:
    """Nothing was changed, and nothing else was typed."""
    visit.open()
    visit.enter("not-a-token")
    sentence = (
        "The token was refused: it is mistyped, has expired, or was made for another service."
    )
    expect(visit.page.get_by_role("alert")).to_have_text(sentence)
    visit.page.route("**/system/llm/caller", lambda route: route.abort())
    visit.button("Sign in").click()
    expect(visit.page.get_by_role("alert")).to_have_text("The service can't be reached. Try again.")
