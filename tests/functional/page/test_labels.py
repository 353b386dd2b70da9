"""Where each label goes: shown with its reasons, and before a change of policy is saved."""

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.functional.page.visit import Visit

LAB: Final = {"provider": "vllm", "base_url": "http://127.0.0.1:9/v1", "model": "granite-lab"}


@pytest.fixture
def admin(visit: Visit) -> Visit:
    """Return an admin who has signed in."""
    visit.sign_in()
    return visit


def test_who_answers_a_label_and_why_is_told_in_words(admin: Visit) -> None:
    """For screen readers and keyboards, too: the reasons are text, chosen by a list."""
    admin.put_connection("vllm-lab", **LAB, max_tlp="CLEAR")
    admin.row("vllm-lab").wait_for()
    table = admin.page.get_by_role("region", name="Where each label goes")
    table.get_by_role("combobox", name="Reasons for").select_option("AMBER")
    expect(table).to_contain_text("vLLM answers the specialist with")
    expect(table).to_contain_text("refused: AMBER is above its own ceiling, CLEAR.")
    expect(table.get_by_role("row", name="vLLM").first).to_contain_text("answers")
    admin.look("labels", of=table)


def test_a_policy_says_what_becomes_allowed_before_it_is_saved(admin: Visit) -> None:
    """Going back changes nothing, and keeps the choice."""
    admin.page.get_by_role("radio", name="AMBER the organisation and").check()
    admin.button("Save the policy…").click()
    asking = admin.dialog("Save the policy?")
    expect(asking).to_contain_text("May go to OpenAI or compatible, DeepSeek")
    admin.look("policy")
    admin.button("Back").click()
    assert admin.service.inventory()["policy"]["hosted_max_tlp"] == "GREEN"
    expect(admin.page.get_by_role("radio", name="AMBER the organisation and")).to_be_checked()
    admin.page.get_by_role("combobox", name="Local backend").select_option("ollama")
    admin.button("Save the policy…").click()
    admin.dialog("Save the policy?").get_by_role("button", name="Save").click()
    admin.says("The policy is saved")
    policy = admin.service.inventory()["policy"]
    assert (policy["hosted_max_tlp"], policy["local_backend"]) == ("AMBER", "ollama")
