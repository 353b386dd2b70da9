"""A rollback in a real browser; and an address that moves the data of what is in use."""

from typing import Final

import pytest
from playwright.sync_api import expect

from tests.functional.page.visit import Visit
from tests.world.service import CONFIG

ELSEWHERE: Final = "http://127.0.0.1:9/v1"
KEY: Final = "vk-page-0123456789abcdef"


@pytest.fixture
def admin(visit: Visit) -> Visit:
    """Return an admin in front of a service whose active vLLM has a key."""
    client = visit.service.client(subject="bob")
    answer = client.put(CONFIG, json={"provider": "vllm", "model": "m-one", "api_key": KEY})
    assert answer.status_code == 200, answer.text
    return visit


def test_a_rollback_asks_for_the_key_of_the_old_address(admin: Visit) -> None:
    """The stored key belongs elsewhere: that is said before, and it is sent nowhere."""
    used, there = admin.service.inventory()["revision"], admin.service.row("vllm")["base_url"]
    admin.put_connection("vllm", provider="vllm", base_url=ELSEWHERE, api_key=f"{KEY}-other")
    admin.sign_in()
    history = admin.page.get_by_role("region", name="History")
    expect(history.locator("summary").first).to_contain_text(f"→ {ELSEWHERE}")
    expect(history.locator("summary").first).to_contain_text("key of vllm set")
    history.locator("summary").nth(1).click()
    admin.button(f"Roll back to revision {used}").click()
    asking = admin.dialog(f"Roll back to revision {used}?")
    expect(asking).to_contain_text(f"from {ELSEWHERE} → to {there}")
    expect(asking).to_contain_text("Its present key belongs to http://127.0.0.1:9")
    expect(asking).to_contain_text("Data for vllm then goes to")
    make = asking.get_by_role("button", name="Test and roll back")
    expect(make).to_be_disabled()
    asking.get_by_role("textbox", name="Key of vLLM").fill(KEY)
    admin.look("rollback-key")
    make.click()
    admin.dialog("Every process has adopted it")
    admin.button("Done").click()
    row = admin.service.row("vllm")
    assert (row["base_url"], row["key_last4"], row["active"]) == (there, KEY[-4:], True)
    assert KEY not in admin.kept()


def test_a_rollback_that_fails_its_test_changes_nothing(admin: Visit) -> None:
    """The refusal stands in the dialog; without the test it is made."""
    admin.put_connection("vllm", provider="vllm", base_url=ELSEWHERE, api_key=KEY)
    there = admin.service.inventory()["revision"]
    admin.service.client(subject="bob").put(CONFIG, json={"provider": "ollama"})
    admin.sign_in()
    admin.page.get_by_role("region", name="History").locator("summary").nth(1).click()
    admin.button(f"Roll back to revision {there}").click()
    admin.button("Test and roll back").click()
    admin.says("The provider can't be reached")
    assert admin.service.inventory()["active"]["requested"] == "ollama"
    admin.page.get_by_role("checkbox", name="Test first").uncheck()
    admin.button("Roll back").click()
    admin.dialog("Every process has adopted it")
    assert admin.service.inventory()["active"]["requested"] == "vllm"


def test_another_address_of_what_is_in_use_asks_first(admin: Visit) -> None:
    """It says where data goes then, and by whom the connection is used."""
    admin.sign_in()
    form = admin.configure("vLLM")
    form.get_by_role("textbox", name="Base URL").fill(ELSEWHERE.removeprefix("http://"))
    expect(form).to_contain_text(f"{ELSEWHERE}/chat/completions")  # as the service understands it
    form.get_by_role("textbox", name="key").fill(f"{KEY}-new")
    form.get_by_role("checkbox", name="Test first").uncheck()
    form.get_by_role("button", name="Save").click()
    asking = admin.dialog("Save the address of vLLM?")
    expect(asking).to_contain_text("Its data goes to http://127.0.0.1:9 from now on")
    admin.look("address")
    asking.get_by_role("button", name="Back").click()
    assert admin.service.row("vllm")["base_url"] != ELSEWHERE
    form.get_by_role("button", name="Save").click()
    asking.get_by_role("button", name="Save").click()
    admin.says("Saved, and in force here.")
    assert admin.service.row("vllm")["base_url"] == ELSEWHERE


def test_a_reset_shows_what_it_changes_of_what_is_in_force(admin: Visit) -> None:
    """Boot defaults by their values; it is made without a test where nobody wants one."""
    admin.put_connection("vllm", provider="vllm", base_url=ELSEWHERE, api_key=KEY)
    admin.service.client(subject="bob").put(CONFIG, json={"provider": "ollama", "model": "m-two"})
    admin.sign_in()
    admin.button("Back to boot defaults…").click()
    asking = admin.dialog("Go back to the boot defaults?")
    expect(asking).to_contain_text("from m-two → to granite4:8b")
    expect(asking).to_contain_text(f"from {ELSEWHERE} → to ")
    admin.look("reset")
    asking.get_by_role("checkbox").uncheck()
    asking.get_by_role("button", name="Go back", exact=True).click()
    admin.dialog("Every process has adopted it")
    admin.button("Done").click()
    assert admin.service.inventory()["active"]["source"] != "runtime"
