"""A real, headless Chromium, driven by playwright, that reaches loopback and nothing else.

Which one it is: `AURORASOC_TEST_CHROMIUM`, else the first of `_NAMES` on PATH; playwright brings
none along. The headless shell has no windows to draw, and takes a quarter less time.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.world.loopback import LOOPBACK
from tests.world.processes import bare_env
from tests.world.programs import Program

_NAMED: Final = "AURORASOC_TEST_CHROMIUM"
_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_CONFINED: Final = (
    "--no-proxy-server",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}",
)


def chromium_binary() -> Path | None:
    """Find the browser to test with; None when there is none.

    Raises:
        FileNotFoundError: `AURORASOC_TEST_CHROMIUM` is set, but names no program.
    """
    named = os.environ.get(_NAMED)
    if named:
        if not os.access(named, os.X_OK):
            message = f"{_NAMED} must name a Chromium, and {named} can't be run"
            raise FileNotFoundError(message)
        return Path(named)
    return next((Path(path) for name in _NAMES if (path := shutil.which(name))), None)


CHROMIUM: Final = Program(
    tests="the tests in a real browser",
    missing="no Chromium to test with: run `make chromium` once, or install Debian's package",
    fixture="chromium_program",
    find=chromium_binary,
)


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    """Find the browser to test with."""
    return CHROMIUM.required()


@pytest.fixture(scope="module")
def browser(chromium_program: Path) -> Iterator[Browser]:
    """Run a browser for the tests of one file.

    Not longer: as long as playwright runs, asyncio takes this thread for one with a running loop,
    and asynchronous tests couldn't run.
    """
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium_program, args=_CONFINED, env=dict(bare_env())
        )
        yield running
        running.close()
