"""Fallbacks on the page: put in order with the keyboard, asked about, saved, and assigned."""

import pytest
from playwright.sync_api import Locator, expect

from tests.functional.page.visit import Visit


@pytest.fixture
def admin(visit: Visit) -> Visit:
    """Return an admin who has signed in."""
    visit.sign_in()
    return visit


def names_in(order: Locator) -> list[str]:
    """Return the connections of a list, without what is said of them."""
    items = order.get_by_role("listitem").all()
    return [str(item.get_attribute("data-name")) for item in items]


def add(order: Locator, *names: str) -> None:
    """Add connections at the end."""
    for name in names:
        order.get_by_role("combobox", name="Another fallback").select_option(name)
        order.get_by_role("button", name="Add").click()


def test_an_order_is_made_with_the_keyboard_and_asked_about_before_it_is_saved(
    admin: Visit,
) -> None:
    """The focus goes along with what moves; a screen reader hears where it is now."""
    order = admin.page.get_by_role("group", name="Fallbacks: asked in this order")
    expect(order).to_contain_text("Nobody: the first failure is the answer.")
    add(order, "openai", "ollama", "gemini")
    assert names_in(order) == ["openai", "ollama", "gemini"]
    order.get_by_role("button", name="Move Ollama up").focus()
    admin.page.keyboard.press("Enter")
    assert names_in(order) == ["ollama", "openai", "gemini"]
    expect(order).to_contain_text("Ollama is number 1 of 3.")
    expect(order.get_by_role("button", name="Move Ollama down")).to_be_focused()
    order.get_by_role("button", name="Remove OpenAI or compatible").focus()
    admin.page.keyboard.press("Space")
    assert names_in(order) == ["ollama", "gemini"]
    expect(order.get_by_role("button", name="Remove Gemini")).to_be_focused()
    admin.page.get_by_role("combobox", name="What a hosted model refuses").select_option("local")
    admin.button("Save the policy…").click()
    asking = admin.dialog("Save the policy?")
    expect(asking).to_contain_text("after a failure, Ollama, then Gemini is asked.")
    expect(asking).to_contain_text("is asked of the local backend, once")
    asking.get_by_role("button", name="Save").click()
    admin.says("The policy is saved")
    policy = admin.service.inventory()["policy"]
    assert (policy["fallbacks"], policy["on_refusal"]) == (["ollama", "gemini"], "local")
    expect(admin.page.get_by_text("The fallback gemini is skipped:")).to_be_visible()
    table = admin.page.get_by_role("region", name="Where each label goes")
    expect(table.get_by_role("row", name="Ollama").first).to_contain_text("fallback 1")
    admin.look("fallbacks", of=admin.page.get_by_role("region", name="Sensitivity policy"))


def test_an_assignment_gets_fallbacks_of_its_own(admin: Visit) -> None:
    """They begin as the policy's, and are shown beside the model."""
    admin.service.client().put("/system/llm/policy", json={"fallbacks": ["ollama"]})
    policys = admin.page.get_by_role("group", name="Fallbacks: asked in this order")
    expect(policys.get_by_role("listitem")).to_contain_text("Ollama")
    admin.button("Assign the role orchestrator").click()
    form = admin.dialog("Assign the role orchestrator")
    form.get_by_role("combobox", name="Connection").select_option("vllm")
    form.get_by_role("checkbox", name="Fallbacks of its own").check()
    order = form.get_by_role("group", name="Its fallbacks")
    assert names_in(order) == ["ollama"]
    add(order, "deepseek")
    admin.look("assign-fallbacks")
    form.get_by_role("button", name="Save").click()
    form.wait_for(state="detached")
    roles = admin.service.inventory()["assignments"]["roles"]
    assert roles["orchestrator"]["fallbacks"] == ["ollama", "deepseek"]
    row = admin.page.get_by_role("row", name="orchestrator role")
    expect(row).to_contain_text("Ollama, DeepSeek")
