"""The whole story in a real browser: sign in, see, test, switch, watch, collide, go back."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.functional.page.visit import HEALTHY, Visit
from tests.world.fixtures import VENDOR_KEYS
from tests.world.processes import together
from tests.world.service import CONFIG, Service
from tests.world.vendor import VendorServer

KEY = VENDOR_KEYS["deepseek"]
WRONG = "sk-wrong-key-0123456789"
MODELS = ["deepseek-v4-flash", "deepseek-v4-pro"]


@pytest.fixture
def site(
    world_variables: dict[str, str], hosted: VendorServer, tmp_path: Path
) -> Iterator[tuple[Service, Service]]:
    """Run two services on one state folder, and a DeepSeek that lists its models."""
    hosted.models["deepseek"] = MODELS
    here, there = (Service(tmp_path, world_variables) for _ in range(2))
    with together(here, there):
        yield here, there
    hosted.models.clear()


@pytest.fixture
def admin(context: BrowserContext, site: tuple[Service, Service]) -> Visit:
    """Return an admin in front of the first service's page."""
    return Visit(context, site[0])


def test_an_admin_does_the_whole_job(admin: Visit, site: tuple[Service, Service]) -> None:
    """Each step is done by mouse and keyboard, and looked at, light and dark."""
    sign_in(admin)
    refuse_a_wrong_key(admin)
    store_and_test(admin)
    collide(admin, site[1])
    switch_and_watch(admin, site[1])
    change_the_policy(admin)
    roll_back(admin)
    sign_out(admin)
    unexpected = [line for line in admin.console if "status of 4" not in line]
    assert [line for line in unexpected if "status of 502" not in line] == []
    assert {url for url in admin.asked if not url.startswith(site[0].url)} == set()


def sign_in(admin: Visit) -> None:
    """A mistyped token is refused in words; the right one leads to the inventory."""
    admin.open()
    admin.look("sign-in")
    admin.enter("not-a-token")
    admin.says("The token was refused")
    admin.look("sign-in-refused")
    admin.sign_in()
    admin.says("All 2 processes run revision 0.")
    admin.page.set_viewport_size({"width": 1280, "height": 1240})
    admin.look("inventory")


def refuse_a_wrong_key(admin: Visit) -> None:
    """Tested first, it changes nothing, and what was typed is still there."""
    form = admin.configure("DeepSeek")
    admin.look("form")
    form.get_by_role("textbox", name="Key").fill(WRONG)
    form.get_by_role("button", name="Switch to DeepSeek…").click()
    admin.button("Test and switch").click()
    admin.says("The provider refused the key")
    admin.look("wrong-key")
    admin.button("Back").click()
    expect(admin.page.get_by_role("textbox", name="Key")).to_have_value(WRONG)
    admin.button("Save").click()
    admin.says("The provider refused the key")
    assert admin.service.inventory()["revision"] == 0


def store_and_test(admin: Visit) -> None:
    """The key is tested before it is stored, stored without a switch, and tested where it is."""
    admin.page.get_by_role("textbox", name="Key").fill(KEY)
    admin.button("Test").click()
    admin.says("Tested as typed. Nothing is saved yet.")
    assert admin.service.row("deepseek")["key_present"] is False
    admin.button("Save").click()
    admin.says("The key is stored. It is never shown again.")
    expect(admin.page.get_by_role("dialog")).to_contain_text("set just now by ")
    assert KEY not in admin.kept()
    admin.button("Test").click()
    admin.says("deepseek-v4-flash answered.")
    admin.says("deepseek-v4-pro answered.")
    admin.says("The provider lists 2 models.")
    admin.look("tested")


def collide(admin: Visit, there: Service) -> None:
    """Somebody else's change is shown where the admin is typing; nothing typed is lost."""
    model = admin.page.get_by_role("combobox", name="Specialist model")
    model.fill("deepseek-v4-pro")
    policy = {"hosted_max_tlp": "CLEAR"}
    there.client(subject="bob").put("/system/llm/policy", json=policy)
    admin.says("The configuration was changed meanwhile")
    expect(admin.button("Switch to DeepSeek…")).to_be_disabled()
    admin.button("Show what they changed").click()
    admin.says("highest label for hosted providers")
    admin.look("conflict")
    admin.button("Continue from revision 2").click()
    expect(model).to_have_value("deepseek-v4-pro")


def switch_and_watch(admin: Visit, there: Service) -> None:
    """What will change is said before; then who has adopted it, and who is late."""
    admin.dialog("DeepSeek").get_by_role("button", name="Switch to DeepSeek…").click()
    admin.says("Data will leave this host.")
    admin.says("Data labelled CLEAR may go there")
    admin.look("switch")
    with frozen(there):
        admin.button("Test and switch").click()
        admin.dialog("The processes are adopting it")
        admin.says("1 of 2 processes run revision 3.")
        admin.look("adopting")
    admin.dialog("Every process has adopted it")
    admin.says("All 2 processes run revision 3.")
    admin.look("adopted")
    admin.button("Done").click()
    assert admin.service.inventory()["active"]["backend"] == "deepseek"


@contextmanager
def frozen(service: Service) -> Iterator[None]:
    """Let a process stand still, as an overloaded host does."""
    os.kill(service.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(service.pid, signal.SIGCONT)


def change_the_policy(admin: Visit) -> None:
    """A higher label may leave from now on."""
    admin.page.get_by_role("radio", name="AMBER the organisation and").check()
    admin.save_the_policy()
    admin.says("The policy is saved")
    assert admin.service.inventory()["policy"]["hosted_max_tlp"] == "AMBER"


def roll_back(admin: Visit) -> None:
    """A revision shows what it changed, and can be made the newest again."""
    history = admin.page.get_by_role("region", name="History")
    revisions = history.locator("summary")
    expect(revisions).to_have_count(4)
    expect(revisions.first).to_contain_text("policy: hosted_max_tlp CLEAR → AMBER")
    revisions.first.click()
    revisions.filter(has_text="bob").click()
    expect(history.locator("dl").last).to_contain_text("boot default → to CLEAR")
    admin.look("history", of=history)
    admin.button("Roll back to revision 2").click()
    asking = admin.dialog("Roll back to revision 2?")
    expect(asking).to_contain_text("active connectionfrom deepseek → to vllm")
    expect(asking).to_contain_text("from AMBER → to CLEAR")
    admin.look("rollback")
    admin.button("Test and roll back").click()
    admin.dialog("Every process has adopted it")
    admin.says("All 2 processes run revision 5.")
    admin.button("Done").click()
    assert admin.service.inventory()["active"]["requested"] == "vllm"


def sign_out(admin: Visit) -> None:
    """Nothing of what was seen is left."""
    admin.button("Sign out").click()
    admin.says("Signed out.")
    kept = admin.page.content()
    assert ("deepseek" in kept, "test-admin" in kept) == (False, False)


def test_a_models_facts_and_its_retirement_are_shown(visit: Visit) -> None:
    """A retired model is shown among the problems of a provider that is ready all the same."""
    notice = {"code": "model_retired", "detail": "gemini-2.5-pro retired on 2026-10-23."}

    def retire(route: Route) -> None:
        answer = route.fetch()
        inventory = answer.json()
        for row in inventory["providers"]:
            if row["provider"] == "gemini":
                row |= {"ready": True, "problems": [notice]}
                row["model_facts"]["retires_on"] = "2026-10-23"
        route.fulfill(response=answer, json=inventory)

    visit.page.route("**/api/v1/system/llm/providers", retire)
    visit.sign_in()
    row = visit.row("Gemini")
    expect(row).to_contain_text(HEALTHY)
    expect(row).to_contain_text(notice["detail"])
    expect(row).to_contain_text("out per million; retirement 2026-10-23")
    assert visit.violations() == []


def test_a_change_to_what_auto_found_says_that_it_ends_the_automatic_choice(visit: Visit) -> None:
    """To configure a provider is to choose it."""
    visit.service.client().put(CONFIG, json={"provider": "auto"})
    visit.sign_in()
    form = visit.configure("vLLM")
    form.get_by_role("combobox", name="Specialist model").fill("another-model")
    form.get_by_role("button", name="Switch to vLLM…").click()
    visit.says("vLLM keeps answering (another-model).")
    visit.says("The choice is no longer automatic.")
    visit.button("Test and switch").click()
    visit.dialog("Every process has adopted it")
    assert visit.service.inventory()["active"]["requested"] == "vllm"
