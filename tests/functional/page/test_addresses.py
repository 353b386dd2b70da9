"""An address is shown below its field as it will be called, by the service's own rules."""

import re
from typing import Final

import pytest
from playwright.sync_api import expect

from tests.functional.page.visit import Visit

KEY: Final = "sk-not-a-real-key-0000"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("api.deepseek.com", "Calls will go to https://api.deepseek.com/chat/completions"),
        (
            "https://gateway.example/v1/chat/completions",
            "Calls will go to https://gateway.example/v1/chat/completions",
        ),
        ("two words", "The address must be a plain http:// or https:// address"),
    ],
)
def test_an_address_is_shown_as_it_will_be_called_while_it_is_typed(
    visit: Visit, typed: str, shown: str
) -> None:
    """By the service's own rules; nothing is saved."""
    visit.sign_in()
    form = visit.configure("DeepSeek")
    field = form.get_by_role("textbox", name="Base URL")
    field.fill(typed)
    expect(form.get_by_role("status").filter(has_text=shown)).to_have_count(1)
    expect(field).to_have_accessible_description(re.compile(f"^{re.escape(shown)}"))
    assert visit.violations() == []
    assert visit.service.row("deepseek")["sources"]["base_url"] == "default"


def test_an_address_without_its_scheme_keeps_its_key(visit: Visit) -> None:
    """It is the same origin, as the service understands it."""
    key = {"api_key": KEY}
    visit.service.client().put("/system/llm/providers/deepseek/key", json=key)
    visit.sign_in()
    form = visit.configure("DeepSeek")
    form.get_by_role("textbox", name="Base URL").fill("api.deepseek.com/v1")
    visit.says("Calls will go to https://api.deepseek.com/v1/chat/completions")
    expect(form.get_by_text("The key in force belongs to")).to_have_count(0)
    expect(form.get_by_role("textbox", name="New key")).not_to_have_attribute("required", "")
