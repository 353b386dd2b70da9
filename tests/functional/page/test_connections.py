"""Named connections in a real browser: added, keyed, limited, assigned, switched to, deleted."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.functional.page.visit import Visit
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG
from tests.world.vendor import VendorServer

AZURE: Final = "https://soc-eu.openai.azure.com/openai/v1"
KEY: Final = VENDOR_KEYS["openai"]
MODELS: Final = ["gpt-4o-soc", "gpt-5-soc"]
LONG_NAME: Final = "a-connection-with-a-long-name-32"
LONG_AGENT: Final = "a" * 64
LONG_MODEL: Final = "m" * 255
WIDTHS: Final = (1280, 390)
LAB: Final = {"provider": "vllm", "base_url": "http://127.0.0.1:9/v1", "model": "granite-lab"}


@pytest.fixture
def admin(visit: Visit, hosted: VendorServer) -> Iterator[Visit]:
    """Yield an admin who has signed in; Azure plays two models."""
    hosted.models["openai"] = MODELS
    visit.sign_in()
    yield visit
    hosted.models.clear()


def open_add(visit: Visit, service: str) -> Locator:
    """Open the form for a new connection, and choose a service."""
    visit.button("Add a connection…").click()
    form = visit.dialog("Add a connection")
    form.get_by_role("combobox", name="Service").select_option(service)
    return form


def test_the_whole_life_of_a_connection(admin: Visit) -> None:
    """Each step is looked at, light and dark; at the end nothing is left of it."""
    add_from_a_preset(admin)
    enter_key_and_model(admin)
    see_the_table_change(admin)
    assign_an_agent(admin)
    switch(admin)
    refuse_to_delete(admin)
    take_back(admin)
    delete(admin)


def add_from_a_preset(admin: Visit) -> None:
    """A pasted address is understood, the name is proposed, and nothing is switched."""
    form = open_add(admin, "Azure OpenAI")
    expect(form.get_by_role("textbox", name="Name")).to_have_value("azure")
    form.get_by_role("textbox", name="Resource").fill("https://soc-eu.openai.azure.com/")
    expect(form).to_contain_text(f"Calls will go to {AZURE}/chat/completions")
    form.get_by_role("combobox", name="Highest label").select_option("AMBER")
    admin.look("add")
    form.get_by_role("button", name="Add", exact=True).click()
    asking = admin.dialog("Add azure with a ceiling of its own?")
    expect(asking).to_contain_text("May go to azure from now on: no label, CLEAR, GREEN and AMBER.")
    admin.look("add-ceiling")
    asking.get_by_role("button", name="Back").click()
    expect(form.get_by_role("textbox", name="Name")).to_have_value("azure")
    form.get_by_role("button", name="Add", exact=True).click()
    asking.get_by_role("button", name="Add", exact=True).click()
    admin.dialog("azure")
    admin.says("azure is added. Nobody uses it yet.")
    row = admin.service.row("azure")
    assert row["base_url"] == AZURE
    assert (row["provider"], row["max_tlp"], row["active"]) == ("openai", "AMBER", False)


def enter_key_and_model(admin: Visit) -> None:
    """The key is stored first; the connection's own list then offers its models."""
    form = admin.dialog("azure")
    form.get_by_role("textbox", name="Key").fill(KEY)
    form.get_by_role("button", name="Save").click()
    admin.says("The key is stored. It is never shown again.")
    assert KEY not in admin.kept()
    admin.says("The provider lists 2 models.")
    form.get_by_role("combobox", name="Specialist model").fill(MODELS[0])
    form.get_by_role("button", name="Save").click()
    admin.says("Saved.")
    admin.button("Test").click()
    admin.says(f"{MODELS[0]} answered.")
    admin.look("connection")
    admin.page.keyboard.press("Escape")
    row = admin.row("azure")
    for text in ("set here", "Answering since", "up to AMBER, its own ceiling", "set just now by"):
        expect(row).to_contain_text(text)


def see_the_table_change(admin: Visit) -> None:
    """A ceiling that is lowered says first what is no longer allowed, and then it isn't."""
    table = admin.page.get_by_role("region", name="Where each label goes")
    row = table.get_by_role("row", name="azure")
    expect(row.get_by_role("cell").nth(3)).to_have_text("allowed")  # AMBER
    form = admin.configure("azure")
    form.get_by_role("combobox", name="Highest label").select_option("GREEN")
    form.get_by_role("button", name="Save").click()
    asking = admin.dialog("Save the ceiling of azure?")
    expect(asking).to_contain_text("May no longer go to azure: AMBER.")
    admin.look("ceiling")
    asking.get_by_role("button", name="Save").click()
    admin.says("Saved.")
    admin.page.keyboard.press("Escape")
    expect(row.get_by_role("cell").nth(3)).to_have_text("refused")
    assert admin.service.row("azure")["max_tlp"] == "GREEN"


def assign_an_agent(admin: Visit) -> None:
    """Everybody's connection and model stand in one table."""
    admin.button("Assign the agent malware-analyst").click()
    form = admin.dialog("Assign the agent malware-analyst")
    form.get_by_role("combobox", name="Connection").select_option("azure")
    form.get_by_role("combobox", name="Model").fill(MODELS[1])
    admin.says("The provider lists 2 models.")
    admin.look("assign")
    form.get_by_role("button", name="Save").click()
    row = used(admin, "malware-analyst")
    expect(row).to_contain_text("azure assigned")
    expect(row).to_contain_text(MODELS[1])
    expect(used(admin, "threat-hunter")).to_contain_text("vLLM in force")
    admin.look("who-uses-what", of=admin.page.get_by_role("region", name="Who uses what"))


def used(admin: Visit, name: str) -> Locator:
    """Find the row that says what somebody uses."""
    table = admin.page.get_by_role("region", name="Who uses what")
    return table.get_by_role("row", name=name)


def switch(admin: Visit) -> None:
    """Its own ceiling is what counts, and is said before."""
    admin.button("Switch to azure").click()
    admin.says("azure (gpt-4o-soc) answers instead of vLLM")
    admin.says("Data labelled CLEAR and GREEN may go there")
    admin.button("Test and switch").click()
    admin.dialog("Every process has adopted it")
    admin.button("Done").click()
    expect(admin.row("azure")).to_contain_text("in force")
    expect(used(admin, "threat-hunter")).to_contain_text("azure in force")


def refuse_to_delete(admin: Visit) -> None:
    """Who uses it is said before, and by the service."""
    form = admin.configure("azure")
    form.get_by_role("button", name="Delete this connection…").click()
    admin.says(
        "It is used by all without an assignment (it is in force) and the agent malware-analyst."
    )
    form.get_by_role("button", name="Delete it").click()
    admin.says("It is in use")
    admin.says("azure is in use: it is active, assigned to the agent malware-analyst.")
    admin.look("in-use")
    admin.page.keyboard.press("Escape")


def take_back(admin: Visit) -> None:
    """The agent's assignment, and the switch."""
    admin.button("Change the agent malware-analyst").click()
    form = admin.dialog("Assign the agent malware-analyst")
    form.get_by_role("combobox", name="Connection").select_option("")
    form.get_by_role("button", name="Save").click()
    expect(used(admin, "malware-analyst")).to_contain_text("azure in force")
    admin.button("Switch to vLLM").click()
    admin.button("Test and switch").click()
    admin.button("Done").click()
    expect(used(admin, "malware-analyst")).to_contain_text("vLLM in force")


def delete(admin: Visit) -> None:
    """Nobody uses it any more: it is asked for once more, and gone."""
    form = admin.configure("azure")
    form.get_by_role("button", name="Delete this connection…").click()
    admin.says("Nobody uses it. Its stored key is deleted with it.")
    admin.look("delete")
    form.get_by_role("button", name="Delete it").click()
    expect(admin.row("azure")).to_have_count(0)
    names = [row["connection"] for row in admin.service.inventory()["providers"]]
    assert "azure" not in names


def test_a_replaced_key_says_whether_the_old_one_can_be_revoked(admin: Visit) -> None:
    """Once the runs that began with it have ended."""
    admin.put_connection(
        "azure", provider="openai", base_url=AZURE, api_key="sk-not-a-real-key-0000"
    )
    admin.row("azure").wait_for()
    form = admin.configure("azure")
    expect(form).to_contain_text(
        "There is a key that ends in 0000 (database), set just now by bob."
    )
    form.get_by_role("textbox", name="New key").fill(KEY)
    form.get_by_role("button", name="Save").click()
    admin.says("The key is stored.")
    admin.says("Only runs that began with the old key still use it")
    admin.says("The provider lists 2 models.")  # read by now: no later test is answered with less


def test_a_role_and_an_agent_that_the_service_does_not_know_are_assigned(admin: Visit) -> None:
    """Agents elsewhere are assigned by the name that they ask with."""
    admin.button("Assign the role orchestrator").click()
    form = admin.dialog("Assign the role orchestrator")
    form.get_by_role("combobox", name="Connection").select_option("ollama")
    form.get_by_role("button", name="Save").click()
    expect(used(admin, "orchestrator agent")).to_contain_text("Ollama as the role orchestrator")
    admin.button("Assign another agent…").click()
    form = admin.dialog("Assign an agent")
    form.get_by_role("textbox", name="Agent").fill("our-own")
    form.get_by_role("combobox", name="Connection").select_option("ollama")
    form.get_by_role("button", name="Save").click()
    expect(used(admin, "our-own")).to_contain_text("Ollama assigned")
    assignments = admin.service.inventory()["assignments"]
    assert assignments["roles"]["orchestrator"]["connection"] == "ollama"
    assert assignments["agents"]["our-own"]["connection"] == "ollama"


def test_a_name_that_is_taken_is_told_before_anything_is_sent(admin: Visit) -> None:
    """Adding never changes a connection that exists."""
    admin.put_connection("groq", provider="openai")
    admin.row("groq").wait_for()
    form = open_add(admin, "Groq")
    name = form.get_by_role("textbox", name="Name")
    expect(name).to_have_value("groq-2")
    name.fill("groq")
    admin.says("There is a connection called groq already.")
    expect(form.get_by_role("button", name="Add", exact=True)).to_be_disabled()


def test_a_connection_to_a_server_of_ones_own_with_options(admin: Visit) -> None:
    """A bare provider asks for its address; options are folded away, and counted."""
    form = open_add(admin, "vllm")
    form.get_by_role("textbox", name="Name").fill("vllm-lab")
    form.get_by_role("textbox", name="Base URL").fill("http://127.0.0.1:9/v1/chat/completions")
    form.get_by_role("combobox", name="Model").fill("granite-lab")
    form.get_by_text("Options").click()
    form.get_by_role("spinbutton", name="Temperature").fill("0.2")
    form.get_by_role("textbox", name="Headers").fill("X-Team: soc")
    admin.says("Sent with each request: X-Team.")
    admin.look("options")
    form.get_by_role("button", name="Add", exact=True).click()
    admin.says("vllm-lab is added.")
    row = admin.service.row("vllm-lab")
    assert row["base_url"] == "http://127.0.0.1:9/v1"
    assert row["options"]["temperature"] == 0.2
    assert row["options"]["headers"] == {"x-team": "soc"}
    expect(admin.dialog("vllm-lab")).to_contain_text("Options: 2 set")


def test_a_changed_option_leaves_the_price_as_it_is(admin: Visit) -> None:
    """Options are sent as a whole: one that the form doesn't show would be lost."""
    price = {"prompt": 0.2, "completion": 1.5, "cached": 0.05, "cache_write": None}
    admin.put_connection("ollama", provider="ollama", options={"price": price})
    form = admin.configure("Ollama")
    form.get_by_text("Options").click()
    answer = form.get_by_role("spinbutton", name="Price of the answer")
    expect(answer).to_have_value("1.5")
    answer.fill("2")
    form.get_by_role("spinbutton", name="Temperature").fill("0.2")
    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("Saved.")
    options = admin.service.row("ollama")["options"]
    assert (options["temperature"], options["price"]) == (0.2, price | {"completion": 2})


def test_a_built_in_connection_is_offered_no_deletion(admin: Visit) -> None:
    """Deleting is for those that were made here."""
    admin.configure("vLLM")
    expect(admin.button("Delete this connection…")).to_have_count(0)


def put_in_force(admin: Visit, name: str) -> None:
    """Switch to a connection, as another admin does meanwhile."""
    switched = admin.service.client().put(CONFIG, json={"provider": name})
    assert switched.status_code == 200, switched.text
    admin.page.get_by_role("region", name=name).wait_for()


@pytest.mark.parametrize("width", WIDTHS)
def test_long_names_break_no_layout(admin: Visit, width: int) -> None:
    """The longest names that there can be, on a wide screen and on a phone."""
    size: ViewportSize = {"width": width, "height": 860}
    admin.put_connection(LONG_NAME, **LAB | {"model": LONG_MODEL})
    assigned = {"agents": {LONG_AGENT: {"connection": LONG_NAME, "model": LONG_MODEL}}}
    admin.service.client().put("/system/llm/assignments", json=assigned)
    admin.page.set_viewport_size(size)
    put_in_force(admin, LONG_NAME)
    used(admin, LONG_AGENT).wait_for()
    assert admin.page.evaluate("document.documentElement.scrollWidth") == width
    assert admin.violations() == []
    openers = (
        f"Configure {LONG_NAME}",
        f"Change the agent {LONG_AGENT}",
        "Switch to Ollama",  # from the one with the long names
    )
    for opener in openers:
        admin.button(opener).click()
        dialog = admin.page.get_by_role("dialog")
        assert dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth")
        assert dialog.locator(".dialog-body").evaluate("(it) => it.scrollWidth <= it.clientWidth")
        admin.page.keyboard.press("Escape")
