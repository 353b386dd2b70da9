"""Somebody in front of the settings page: what they do, and what can be seen of it."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    expect,
)

from aurorasoc.web import SETTINGS_PAGE
from tests.world.service import CONNECTIONS, Service, bearer, token

_PICTURES: Final = "AURORASOC_SCREENSHOTS"  # a folder; unset, no picture is kept
_CALLS: Final = "**/api/v1/**"
_PATIENCE: Final = 90_000  # ms: the machine may be busy
expect.set_options(timeout=_PATIENCE)
HEALTHY: Final = re.compile("Not called yet|Answering since")  # the service may be used already
_SCHEMES: Final[tuple[Literal["dark", "light"], ...]] = ("dark", "light")
_COLOURS: Final = {"runOnly": ["color-contrast"]}  # the one rule that the scheme can change
_AXE: Final = Axe().axe_script


def leave_and_stay(page: Page, script: str) -> list[str]:
    """Leave a page by a script, think better of it, and return what the browser asked."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    with page.expect_event("dialog"):
        page.evaluate(f"() => void setTimeout(() => {script}, 0)")
    page.remove_listener("dialog", stay)
    return asked


def leave_unasked(page: Page) -> bool:
    """Reload a page, and return whether the browser asked nothing."""
    asked: list[Dialog] = []

    def go(dialog: Dialog) -> None:
        asked.append(dialog)
        dialog.accept()

    page.on("dialog", go)
    page.reload()
    page.remove_listener("dialog", go)
    return asked == []


class Visit:
    """One visitor's tab, which writes down each request, console line and script error."""

    def __init__(self, context: BrowserContext, service: Service) -> None:
        """Open an empty tab."""
        self.service = service
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_PATIENCE)
        self.console: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))
        self.page.on("request", self._requested)

    # --- what a visitor does ---------------------------------------------------------------------

    def open(self) -> None:
        """Go to the page."""
        self.page.goto(f"{self.service.url}{SETTINGS_PAGE}")

    def enter(self, text: str) -> None:
        """Type a token, and send it."""
        self.page.get_by_role("textbox", name="Bearer token").fill(text)
        self.button("Sign in").click()

    def enter_by_keyboard(self) -> None:
        """Type a token where the focus is, and press Enter."""
        self.page.keyboard.type(token())
        self.page.keyboard.press("Enter")

    def sign_in(self, role: str = "admin", **claims: Any) -> None:
        """Open the page and sign in as somebody of a role; wait for the inventory."""
        self.open()
        self.enter(token(role, **claims))
        self.page.get_by_role("heading", name="Connections").wait_for()

    def let_the_sign_in_run_out(self) -> None:
        """Replace the token by one that has run out, in every request from now on."""
        expired = bearer(token(lifetime=timedelta(seconds=-60)))["Authorization"]
        self.page.route(
            _CALLS,
            lambda route: route.continue_(
                headers={**route.request.headers, "authorization": expired}
            ),
        )

    def sign_in_again(self) -> None:
        """Fill the form that asks for it, and see it go."""
        self.page.unroute(_CALLS)
        again = self.dialog("Sign in again")
        again.get_by_role("textbox", name="Bearer token").fill(token())
        again.get_by_role("button", name="Sign in").click()
        again.wait_for(state="detached")

    def configure(self, name: str) -> Locator:
        """Open a connection's form, and wait until it stands still: a list may still come."""
        self.button(f"Configure {name}").click()
        form = self.dialog(name)
        expect(form).not_to_contain_text("Reading its list of models")
        return form

    def put_connection(self, name: str, **values: object) -> None:
        """Make or change a connection, as another admin does meanwhile."""
        client = self.service.client(subject="bob")
        answer = client.put(f"{CONNECTIONS}/{name}", json=values)
        assert answer.status_code == 200, answer.text

    def save_the_policy(self) -> None:
        """Ask for it to be saved, and say yes."""
        self.button("Save the policy…").click()
        self.dialog("Save the policy?").get_by_role("button", name="Save").click()

    def button(self, name: str) -> Locator:
        """Find a button by its whole name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def row(self, name: str) -> Locator:
        """Find a connection's row."""
        table = self.page.get_by_role("region", name="Connections")
        return table.get_by_role("row", name=name)

    def dialog(self, name: str) -> Locator:
        """Find a dialog by its title, once it is open."""
        dialog = self.page.get_by_role("dialog", name=name)
        dialog.wait_for()
        return dialog

    def says(self, text: str) -> Locator:
        """Wait until a text can be seen."""
        shown = self.page.get_by_text(text).first
        shown.wait_for()
        return shown

    # --- what can be seen ------------------------------------------------------------------------

    def look(self, name: str, *, full: bool = False, of: Locator | None = None) -> None:
        """Check the state with axe-core, light and dark; keep pictures where they are wanted.

        A picture shows a part, if there is one in `of`; else a dialog, or what is seen of the page.
        """
        for scheme in _SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            violations = self.violations(_COLOURS if scheme == "dark" else None)
            assert violations == [], f"{name}, {scheme}: {violations}"
            if folder := os.environ.get(_PICTURES):
                self._picture(Path(folder) / f"settings-{name}-{scheme}.png", full=full, of=of)

    def _picture(self, file: Path, *, full: bool, of: Locator | None) -> None:
        """Keep a picture."""
        dialog = self.page.get_by_role("dialog")
        if of is not None:
            of.screenshot(path=file)
        elif dialog.count():
            dialog.last.screenshot(path=file)
        else:
            self.page.screenshot(path=file, full_page=full)

    def violations(self, options: Mapping[str, list[str]] | None = None) -> list[str]:
        """List what axe-core finds wrong: the rule, and where.

        Each document loads it once, and only what is wrong leaves the browser: `Axe.run` does
        neither, and takes four times as long.
        """
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE)
        wrong = self.page.evaluate(
            "(options) => axe.run(options).then(({violations}) => violations)",
            {**(options or {}), "resultTypes": ["violations"]},
        )
        return [f"{rule['id']}: {node['target']}" for rule in wrong for node in rule["nodes"]]

    def kept(self) -> str:
        """Return all that the browser shows or keeps: document, fields, storage, URL, console."""
        seen = self.page.evaluate(
            """() => JSON.stringify([
                document.documentElement.outerHTML,
                [...document.querySelectorAll("input")].map((field) => field.value),
                {...localStorage}, {...sessionStorage}, document.cookie,
                location.href, history.state, performance.getEntries().map((entry) => entry.name),
            ])"""
        )
        return "\n".join([str(seen), *self.console, *self.asked])

    def _said(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def _requested(self, request: Request) -> None:
        self.asked.append(request.url)
