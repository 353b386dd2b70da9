"""The page in a host platform: its session signs the user in, and nobody types a token."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.functional.page.visit import leave_and_stay, leave_unasked
from tests.world.databases import DATABASES, Stored, bring_to_head
from tests.world.forked import Forked
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, free_port
from tests.world.service import bearer, service_env, token

ROOT: Final = Path(__file__).parents[3]
POLICY: Final = "**/system/llm/policy"
APP: Final = "tests.world.host_with_page:create_host"


class Host(ChildProcess):
    """`tests.world.host_with_page` under uvicorn."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        """Describe the host, whose state and log go to `folder`."""
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        super().__init__(
            [sys.executable, "-m", "uvicorn", "--factory", APP, "--port", str(port)],
            env=service_env(folder / "state", variables),
            ready=f"{self.url}/readyz",
            log=folder / "host.log",
            cwd=ROOT,
            popen=Forked,
        )


@pytest.fixture(scope="module", params=["token", "nothing"])
def host(
    request: pytest.FixtureRequest,
    world_variables: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    """Run a host that hands a token over, and one whose cookie is enough."""
    folder = tmp_path_factory.mktemp("host")
    bring_to_head(Stored(DATABASES.url(folder / "state")))
    with Host(folder, {**world_variables, "HOST_HANDS_OVER": request.param}) as running:
        yield running


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Return an empty tab."""
    return context.new_page()


def run_out(route: Route) -> None:
    """Send a token that has run out, where one is sent."""
    headers = route.request.headers
    if "authorization" in headers:
        headers |= {
            "authorization": bearer(token(lifetime=timedelta(seconds=-60)))["Authorization"]
        }
    route.continue_(headers=headers)


def test_a_users_session_is_enough(host: Host, page: Page) -> None:
    """Nothing is asked, and a token that has run out is fetched anew."""
    page.goto(f"{host.url}/login")
    page.get_by_role("heading", name="Connections").wait_for()
    page.get_by_text("alice").first.wait_for()
    page.route(POLICY, run_out, times=1)
    page.get_by_role("radio", name="CLEAR may be published").check()
    page.get_by_role("button", name="Save the policy…").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_text("The policy is saved").wait_for()


def test_without_a_session_the_page_sends_the_user_to_the_platform(host: Host, page: Page) -> None:
    """It shows nothing, and asks for no token of its own."""
    page.goto(f"{host.url}/settings/llm")
    page.get_by_text("Sign in to the platform, then try again.").wait_for()
    assert not page.get_by_role("textbox").is_visible()


def test_leaving_asks_first_only_while_something_is_typed(host: Host, page: Page) -> None:
    """The host's session outlives the page: nobody is signed out."""
    page.goto(f"{host.url}/login")
    page.get_by_role("radio", name="RED the recipients only").check()
    assert leave_and_stay(page, "location.reload()") == ["beforeunload"]
    discard = page.get_by_role("button", name="Discard")
    discard.click()
    discard.wait_for(state="detached")
    assert leave_unasked(page)
    page.get_by_role("heading", name="Connections").wait_for()
