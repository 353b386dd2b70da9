"""Budgets on the page: shown with what is spent, and changed as a whole after a question."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.functional.page.visit import Visit, leave_and_stay
from tests.world.service import Service

BUDGETS: Final = "/system/llm/budgets"
PROMPT: Final = {"messages": [{"role": "user", "content": "ping"}]}


def limit(scope: str, **values: object) -> dict[str, Any]:
    """Return a limit of tokens as it is sent."""
    return {"scope": scope, "per": "day", "tokens": 1_000_000, "hard": True, **values}


def put(service: Service, *limits: dict[str, Any]) -> None:
    """Replace all limits, as another admin does meanwhile."""
    answer = service.client(subject="bob").put(BUDGETS, json={"limits": list(limits)})
    assert answer.status_code == 200, answer.text


def stored(service: Service) -> dict[str, int | None]:
    """Return the tokens of each limit, by scope."""
    limits = service.client().get(BUDGETS).json()["limits"]
    return {one["scope"]: one["tokens"] for one in limits}


@pytest.fixture
def limited(context: BrowserContext, service: Service) -> Iterator[Visit]:
    """Yield a visitor of the shared service with one limit; there are none afterwards."""
    put(service, limit("connection:vllm"))
    yield Visit(context, service)
    put(service)


@pytest.fixture
def admin(limited: Visit) -> Visit:
    """Return an admin who has signed in."""
    limited.sign_in()
    return limited


def form_of(admin: Visit) -> Locator:
    """Open the form with all limits."""
    admin.button("Change budgets…").click()
    return admin.dialog("Budgets")


def rows(visit: Visit) -> Locator:
    """Find the table of limits."""
    return visit.page.get_by_role("region", name="Budgets").get_by_role("table")


def save(admin: Visit, form: Locator) -> Locator:
    """Go on to the question; return it."""
    form.get_by_role("button", name="Save the budgets…").click()
    return admin.dialog("Save the budgets?")


def test_a_limit_shows_what_is_spent_and_left_and_when_it_begins_anew(limited: Visit) -> None:
    """In words, after a call that counts."""
    assert limited.service.client().post("/chat", json=PROMPT).is_success
    limited.sign_in()
    shown = rows(limited).get_by_role("row", name="connection vLLM")
    expect(shown).to_contain_text("1,000,000 tokens a day")
    expect(shown).to_contain_text("calls beyond it are refused")
    expect(shown).to_contain_text("within it")
    expect(shown.locator("time")).to_have_count(1)
    (counted,) = limited.service.client().get(BUDGETS).json()["limits"]
    assert counted["spent"]["tokens"] > 0
    expect(shown).to_contain_text(f"{counted['remaining']['tokens']:,} tokens")


def test_an_admin_changes_all_limits_at_once_and_hears_what_it_does(admin: Visit) -> None:
    """The question comes before anything is saved."""
    form = form_of(admin)
    form.get_by_role("textbox", name="Tokens").fill("2.5M")
    form.get_by_role("button", name="Add a limit").click()
    added = form.get_by_role("group", name="Limit 2")
    expect(added).to_contain_text("Say whom it limits.")
    added.get_by_label("Of a").select_option("agent")
    added.get_by_role("combobox", name="Name").fill("triage")
    expect(added).to_contain_text("Enter tokens, money, or both.")
    added.get_by_role("textbox", name="Money (USD)").fill("$20")
    added.get_by_label("Beyond it").select_option("soft")
    admin.look("budgets")
    question = save(admin, form)
    expect(question).to_contain_text(
        "connection vLLM may spend 2,500,000 tokens a day, instead of 1,000,000 tokens a day"
    )
    expect(question).to_contain_text("agent triage may spend $20.00 a month: beyond it, a warning")
    admin.look("budgets-asked")
    assert stored(admin.service) == {"connection:vllm": 1_000_000}
    question.get_by_role("button", name="Save").click()
    expect(question).to_have_count(0)
    assert stored(admin.service) == {"connection:vllm": 2_500_000, "agent:triage": None}
    expect(rows(admin).get_by_role("row", name="agent triage")).to_contain_text("$20.00 a month")


def test_a_change_of_budgets_keeps_what_somebody_else_added(admin: Visit) -> None:
    """They are sent as a whole, so theirs are taken over before mine are saved."""
    form = form_of(admin)
    form.get_by_role("textbox", name="Tokens").fill("7")
    put(admin.service, limit("connection:vllm"), limit("agent:soar", tokens=5))
    expect(form.get_by_role("alert")).to_contain_text("The configuration was changed meanwhile")
    expect(form.get_by_role("button", name="Save the budgets…")).to_be_disabled()
    form.get_by_role("button", name=re.compile("^Continue from revision")).click()
    expect(form.get_by_role("group", name="Limit 2")).to_be_visible()
    save(admin, form).get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    assert stored(admin.service) == {"connection:vllm": 7, "agent:soar": 5}


def test_a_budget_that_a_client_was_made_with_is_shown_and_not_set(admin: Visit) -> None:
    """Saving the others doesn't make it a limit of its own, which would outlive the client."""
    client = admin.service.client()
    budget = {"per": "month", "tokens": 77, "hard": True}
    assert client.post("/clients", json={"name": "soar", "budget": budget}).status_code == 201
    shown = rows(admin).get_by_role("row", name="client soar")
    expect(shown).to_contain_text("the client was made with it")
    form = form_of(admin)
    expect(form.get_by_role("group")).to_have_count(1)
    form.get_by_role("textbox", name="Tokens").fill("5")
    save(admin, form).get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    assert client.delete("/clients/soar").is_success
    assert stored(admin.service) == {"connection:vllm": 5}


def test_typed_limits_are_not_lost_by_a_key_or_a_reload(admin: Visit) -> None:
    """Both ask first."""
    form = form_of(admin)
    form.get_by_role("button", name="Remove limit 1").click()
    assert leave_and_stay(admin.page, "location.reload()") == ["beforeunload"]
    admin.page.keyboard.press("Escape")
    expect(form.get_by_role("alert")).to_contain_text("You have typed something that isn't saved")
    form.get_by_role("button", name="Discard and close").click()
    expect(form).to_have_count(0)
    assert stored(admin.service) == {"connection:vllm": 1_000_000}


def test_a_refused_limit_says_why_and_keeps_what_was_typed(admin: Visit) -> None:
    """The service alone knows which connections there are."""
    form = form_of(admin)
    form.get_by_role("combobox", name="Name").fill("nowhere")
    save(admin, form).get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("There is no such connection")
    expect(form.get_by_role("combobox", name="Name")).to_have_value("nowhere")


def test_whoever_may_only_read_sees_budgets_and_no_button(limited: Visit) -> None:
    """A limit is an admin's."""
    limited.sign_in("analyst")
    expect(rows(limited)).to_contain_text("connection vLLM")
    expect(limited.page.get_by_role("button", name="Change budgets…")).to_have_count(0)
