"""The page in a host platform: its session signs the user in, and nobody types a token."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, free_port
from tests.world.service import run_command, service_env

ROOT: Final = Path(__file__).parents[3]
APP: Final = "tests.world.host_with_page:create_host"


class Host(ChildProcess):
    """`tests.world.host_with_page` under uvicorn."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        """Describe the host, whose state and log go to `folder`."""
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.variables = service_env(folder / "state", variables)
        super().__init__(
            [sys.executable, "-m", "uvicorn", "--factory", APP, "--port", str(port)],
            env=self.variables,
            ready=f"{self.url}/readyz",
            log=folder / "host.log",
            cwd=ROOT,
        )


@pytest.fixture(params=["token", "nothing"])
def host(
    request: pytest.FixtureRequest, world_variables: dict[str, str], tmp_path: Path
) -> Iterator[Host]:
    """Run a host that hands a token over, and one whose cookie is enough."""
    running = Host(tmp_path, {**world_variables, "HOST_HANDS_OVER": request.param})
    assert run_command("migrate", env=running.variables, cwd=tmp_path).returncode == 0
    with running:
        yield running


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Give an empty tab."""
    return context.new_page()


def test_a_users_session_is_enough(host: Host, page: Page) -> None:
    """Nothing is asked, and a token that has run out is fetched anew."""
    page.goto(f"{host.url}/login")
    page.get_by_role("heading", name="Providers").wait_for()
    page.get_by_text("alice").first.wait_for()
    page.wait_for_timeout(4_000)  # longer than a token of this host holds
    page.get_by_role("radio", name="CLEAR may be published").check()
    page.get_by_role("button", name="Save the policy").click()
    page.get_by_text("The policy is saved").wait_for()


def test_without_a_session_the_page_sends_the_user_to_the_platform(host: Host, page: Page) -> None:
    """It shows nothing, and asks for no token of its own."""
    page.goto(f"{host.url}/settings/llm")
    page.get_by_text("Sign in to the platform, then try again.").wait_for()
    assert not page.get_by_role("textbox").is_visible()
