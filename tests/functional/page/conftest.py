"""A browser, and visitors in tabs of their own that share nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.functional.page.visit import Visit
from tests.world.chromium import CHROMIUM, browser, chromium_program
from tests.world.service import Service

__all__ = ["browser", "chromium_program"]  # pytest finds the fixtures here


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a browser where there is none."""
    CHROMIUM.leave_out(items)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Yield a browser without a past; without motion, so that what is seen stands still.

    A page may copy: the headless shell has nobody to ask, where a window needs no permission.
    """
    fresh = browser.new_context(
        viewport={"width": 1280, "height": 860},
        reduced_motion="reduce",
        locale="en-GB",
        permissions=["clipboard-write"],
    )
    yield fresh
    fresh.close()


@pytest.fixture
def visit(context: BrowserContext, service: Service) -> Visit:
    """Return a visitor of the shared service."""
    return Visit(context, service)
