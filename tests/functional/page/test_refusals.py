"""Each bad answer has its own clear words, and nothing that was typed is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.functional.page.visit import Visit
from tests.world.processes import free_port
from tests.world.service import CONFIG, Service, token

STREAM: Final = "**/system/llm/fleet/events"
TYPED: Final = "a-model-of-mine"


@pytest.fixture
def visitor(
    context: BrowserContext, world_variables: dict[str, str], tmp_path: Path
) -> Iterator[Visit]:
    """Yield a visitor of a service of the test's own, to stop and start."""
    with Service(tmp_path, world_variables) as service:
        yield Visit(context, service)


def type_model(visit: Visit, name: str) -> None:
    """Open a provider's form, and type a model."""
    form = visit.configure(name)
    form.get_by_role("combobox", name="Specialist model").fill(TYPED)


def expect_typed(visit: Visit) -> None:
    """See that it is still there."""
    expect(visit.page.get_by_role("combobox", name="Specialist model")).to_have_value(TYPED)


def save(visit: Visit) -> None:
    """Save an active provider's form, without a test."""
    visit.page.get_by_role("checkbox", name="Test first").uncheck()
    visit.button("Save").click()


def test_a_lost_sign_in_asks_for_a_new_one_over_what_was_typed(visit: Visit) -> None:
    """401: the form waits below, and can be saved afterwards."""
    visit.sign_in()
    type_model(visit, "vLLM")
    visit.says("Calls will go to")  # nothing more is asked before it is saved
    visit.let_the_sign_in_run_out()
    save(visit)
    visit.dialog("Sign in again")
    visit.look("sign-in-again")
    visit.sign_in_again()
    visit.says("Your sign-in had expired")
    expect_typed(visit)
    save(visit)
    visit.says("Saved, and in force here.")
    assert visit.service.row("vllm")["model"] == TYPED


def test_what_a_lost_sign_in_kept_from_being_read_is_read_afterwards(visit: Visit) -> None:
    """In views that nobody asks to read again."""
    visit.sign_in()
    labels = visit.page.get_by_role("region", name="Where each label goes")
    visit.let_the_sign_in_run_out()
    labels.get_by_role("combobox", name="Asked by").select_option("the orchestrator")
    refused = labels.get_by_role("alert")
    expect(refused).to_contain_text("Your sign-in had expired")
    visit.sign_in_again()
    expect(refused).to_have_count(0)


def test_who_may_not_read_is_told_which_permission_is_missing(visit: Visit) -> None:
    """403: at the door, and the token is not kept."""
    visit.open()
    visit.enter(token("api_service"))
    visit.says("You may not use this page. This needs the permission agents:read.")


def test_a_switch_to_a_provider_that_is_not_ready_says_what_it_needs(visit: Visit) -> None:
    """409: in the provider's own words, and the form is still filled."""
    visit.sign_in()
    type_model(visit, "Gemini")
    visit.button("Switch to Gemini…").click()
    visit.button("Test and switch").click()
    visit.page.get_by_role("alert").filter(has_text="Provider not ready").wait_for()
    visit.says("LLM_GEMINI_API_KEY")
    visit.button("Back").click()
    expect_typed(visit)


def test_a_change_in_between_is_never_overwritten(visit: Visit) -> None:
    """412: also where the page couldn't have noticed before. Theirs is shown, ours is kept."""
    visit.page.route(STREAM, lambda route: route.abort())
    visit.sign_in()
    type_model(visit, "vLLM")
    theirs = {"provider": "vllm", "model": "a-model-of-bobs"}
    visit.service.client(subject="bob").put(CONFIG, json=theirs)
    save(visit)
    visit.says("Somebody else changed it first")
    visit.says("a-model-of-bobs")
    assert visit.service.row("vllm")["model"] == "a-model-of-bobs"
    visit.page.get_by_role("button", name="Continue from revision").click()
    expect_typed(visit)
    visit.button("Save").click()
    visit.says("Saved, and in force here.")
    assert visit.service.row("vllm")["model"] == TYPED


def test_input_that_is_not_valid_names_its_field(visit: Visit) -> None:
    """422: and repeats nothing of it."""
    visit.sign_in()
    visit.configure("DeepSeek").get_by_role("textbox", name="Key").fill("two words")
    visit.button("Save").click()
    visit.says("The input isn't valid")
    visit.says("api key: must be printable ASCII without spaces")


def test_a_secret_store_that_is_down_is_named(
    context: BrowserContext, world_variables: dict[str, str], tmp_path: Path
) -> None:
    """503: on the page, and for whoever stores a key then."""
    vault = {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}", "VAULT_TOKEN": "none"}
    with Service(tmp_path, {**world_variables, **vault}) as service:
        visit = Visit(context, service)
        visit.sign_in()
        visit.says("The secret store doesn't answer")
        key = visit.configure("DeepSeek").get_by_role("textbox", name="Key")
        key.fill("sk-not-a-real-key-0000")
        visit.page.get_by_role("checkbox", name="Test first").uncheck()
        visit.button("Save").click()
        notice = visit.page.get_by_role("alert").filter(has_text="Nothing was changed.")
        notice.wait_for()
        visit.look("store-down")
        expect(key).to_have_value("sk-not-a-real-key-0000")


def test_no_connection_is_told_and_over_once_it_is_back(visitor: Visit) -> None:
    """No answer at all: what was read stays, and so does what was typed."""
    visitor.sign_in()
    type_model(visitor, "vLLM")
    visitor.service.terminate()
    save(visitor)
    dialog = visitor.page.get_by_role("dialog")
    dialog.locator("strong", has_text="No connection to the service").wait_for()
    visitor.look("no-connection")
    expect_typed(visitor)
    visitor.service.resume()
    message = visitor.page.get_by_text("No connection to the service")
    expect(message).to_have_count(0)
    visitor.button("Save").click()
    visitor.says("Saved, and in force here.")
    assert visitor.service.row("vllm")["model"] == TYPED


@pytest.mark.parametrize("path", ["history", "policy/explain"])
def test_what_a_view_could_not_read_is_read_once_the_connection_is_back(
    visit: Visit, path: str
) -> None:
    """No revision changed meanwhile, which would have made it read anew anyway."""
    calls = f"**/system/llm/{path}*"
    visit.page.route(calls, lambda route: route.abort())
    visit.sign_in()
    visit.says("No connection to the service")
    visit.page.unroute(calls)
    visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(visit.page.get_by_text("No connection to the service")).to_have_count(0)


def test_too_many_tests_say_when_to_come_back(visit: Visit) -> None:
    """429: a test costs money at a vendor."""
    eager = visit.service.client(subject="eager")
    for _ in range(20):
        eager.post("/system/llm/providers/vllm/test")
    visit.sign_in(subject="eager")
    visit.configure("vLLM").get_by_role("button", name="Test", exact=True).click()
    visit.says("Too many tests")
    visit.says("Try again in")


def test_an_address_that_leaves_the_key_behind_is_told_at_once(visit: Visit) -> None:
    """Before anything is sent: the key in force belongs elsewhere."""
    key = {"api_key": "sk-not-a-real-key-0000"}
    visit.service.client().put("/system/llm/providers/deepseek/key", json=key)
    visit.sign_in()
    form = visit.configure("DeepSeek")
    form.get_by_role("textbox", name="Base URL").fill("https://gateway.example/v1")
    visit.says("The key in force belongs to https://api.deepseek.com and stays there")
    visit.look("address")
    expect(form.get_by_role("textbox", name="New key")).to_have_attribute("required", "")


def test_closing_a_form_with_something_typed_asks_first(visit: Visit) -> None:
    """Escape is pressed quickly."""
    visit.sign_in()
    type_model(visit, "vLLM")
    visit.page.keyboard.press("Escape")
    visit.button("Keep editing").click()
    expect_typed(visit)
    visit.page.keyboard.press("Escape")
    visit.button("Discard and close").click()
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
