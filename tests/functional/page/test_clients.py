"""Machine clients on the page: a secret that is shown once, replaced with grace, and revoked."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.functional.page.visit import Visit, leave_and_stay
from tests.world.service import Service

CLIENTS: Final = "/clients"
SECRET: Final = re.compile(r"aur_[A-Za-z0-9_-]{43}")


@pytest.fixture
def admin(context: BrowserContext, service: Service) -> Iterator[Visit]:
    """Yield an admin who has signed in; there are no clients, neither before nor afterwards."""
    visit = Visit(context, service)
    visit.sign_in()
    yield visit
    for name in names(service):
        service.client().delete(f"{CLIENTS}/{name}")


def listed(service: Service) -> list[dict[str, Any]]:
    """Return the clients, as the service lists them."""
    rows: list[dict[str, Any]] = service.client().get(CLIENTS).json()["clients"]
    return rows


def names(service: Service) -> list[str]:
    """Return what they are called."""
    return [row["name"] for row in listed(service)]


def make(service: Service, name: str, **values: object) -> None:
    """Make a client, as another admin does meanwhile."""
    made = service.client(subject="bob").post(CLIENTS, json={"name": name, **values})
    assert made.status_code == 201, made.text


def add(admin: Visit, name: str) -> Locator:
    """Add a client on the page; return the dialog that shows its secret."""
    admin.button("Add a client…").click()
    admin.dialog("Add a client").get_by_role("textbox", name="Name").fill(name)
    admin.button("Add, and show its secret").click()
    return admin.dialog(f"The secret of {name}")


def row_of(admin: Visit, name: str) -> Locator:
    """Find a client's row."""
    return admin.page.get_by_role("region", name="Clients").get_by_role("row", name=name)


def test_an_admin_makes_a_client_and_its_secret_is_gone_once_the_dialog_is(admin: Visit) -> None:
    """What was chosen is what the service stores; the browser keeps no secret."""
    admin.button("Add a client…").click()
    form = admin.dialog("Add a client")
    form.get_by_role("textbox", name="Name").fill("case-management")
    form.get_by_label("Highest label that it may send").select_option("AMBER")
    form.get_by_label("Valid until the end of").fill("2099-12-31")
    form.get_by_role("checkbox", name="A budget of its own").check()
    form.get_by_role("textbox", name="Tokens").fill("1.5M")
    expect(form).to_contain_text("1,500,000 tokens a month.")
    admin.look("client")
    admin.button("Add, and show its secret").click()
    shown = admin.dialog("The secret of case-management")
    secret = shown.get_by_role("textbox", name="Secret").input_value()
    assert SECRET.fullmatch(secret)
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("status")).to_contain_text("Copied.")
    admin.button("I have stored it").click()
    expect(shown).to_have_count(0)
    assert secret not in admin.kept()
    (stored,) = listed(admin.service)
    assert (stored["max_tlp"], stored["budget"]["tokens"]) == ("AMBER", 1_500_000)
    assert stored["expires_at"] > "2099-12-30"
    expect(row_of(admin, "case-management")).to_contain_text("AMBER")
    expect(row_of(admin, "case-management")).to_contain_text("never")
    admin.look("clients", of=admin.page.get_by_role("region", name="Clients"))


def test_a_secret_that_was_not_copied_is_not_closed_by_a_key(admin: Visit) -> None:
    """Nor lost with the page: both ask first."""
    shown = add(admin, "soar")
    expect(shown.get_by_role("textbox", name="Secret")).to_have_value(SECRET)
    admin.look("client-secret")
    admin.page.keyboard.press("Escape")
    expect(shown.get_by_role("alert")).to_contain_text("The secret hasn't been copied")
    assert leave_and_stay(admin.page, "location.reload()") == ["beforeunload"]
    shown.get_by_role("button", name="Close all the same").click()
    expect(shown).to_have_count(0)


def test_a_browser_that_copies_nothing_selects_the_secret(admin: Visit) -> None:
    """As where the page isn't served over https."""
    admin.page.evaluate("() => delete Navigator.prototype.clipboard")
    shown = add(admin, "soar")
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("status")).to_contain_text("press Ctrl+C")
    selected = admin.page.evaluate("() => document.activeElement.selectionEnd")
    assert selected == len("aur_") + 43


def test_a_new_secret_leaves_the_old_one_a_time_of_grace(admin: Visit) -> None:
    """A day, unless another is chosen; until when is in the table."""
    make(admin.service, "soar")
    admin.button("New secret for soar").click()
    asked = admin.dialog("A new secret for soar")
    expect(asked).to_contain_text("Until then both are valid.")
    admin.look("client-new-secret")
    admin.button("Make a new secret").click()
    shown = admin.dialog("The secret of soar")
    expect(shown.get_by_role("textbox", name="Secret")).to_have_value(SECRET)
    shown.get_by_role("button", name="I have stored it").click()
    expect(row_of(admin, "soar")).to_contain_text("its old secret until")
    (stored,) = listed(admin.service)
    assert stored["old_secret_until"] is not None


def test_a_client_is_revoked_after_one_question(admin: Visit) -> None:
    """Its row goes."""
    make(admin.service, "soar")
    admin.button("Revoke soar").click()
    asked = admin.dialog("Revoke soar?")
    expect(asked).to_contain_text("in every process")
    admin.look("client-revoked")
    asked.get_by_role("button", name="Revoke it").click()
    expect(asked).to_have_count(0)
    expect(row_of(admin, "soar")).to_have_count(0)
    assert names(admin.service) == []


def test_a_client_is_not_made_over_somebody_elses_change(admin: Visit) -> None:
    """It is shown first, and what was typed is kept."""
    admin.button("Add a client…").click()
    form = admin.dialog("Add a client")
    form.get_by_role("textbox", name="Name").fill("soar")
    make(admin.service, "theirs")
    add_it = form.get_by_role("button", name="Add, and show its secret")
    expect(form.get_by_role("alert")).to_contain_text("The configuration was changed meanwhile")
    expect(add_it).to_be_disabled()
    form.get_by_role("button", name="Show what they changed").click()
    expect(form.get_by_role("alert")).to_contain_text("client:theirs")
    form.get_by_role("button", name=re.compile("^Continue from revision")).click()
    expect(form.get_by_role("textbox", name="Name")).to_have_value("soar")
    form.get_by_role("textbox", name="Name").fill("theirs")
    expect(form).to_contain_text("There is a client called theirs already.")
    expect(add_it).to_be_disabled()


def test_whoever_may_only_read_sees_no_clients(admin: Visit, context: BrowserContext) -> None:
    """And doesn't ask for them."""
    make(admin.service, "soar")
    reader = Visit(context, admin.service)
    reader.sign_in("analyst")
    reader.page.get_by_role("heading", name="Last failures").wait_for()
    expect(reader.page.get_by_role("region", name="Clients")).to_have_count(0)
    assert not any(address.endswith(CLIENTS) for address in reader.asked)
