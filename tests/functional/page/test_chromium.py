"""Which browser the tests take, and what happens where there is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.world.chromium import CHROMIUM, chromium_binary
from tests.world.processes import bare_env

ROOT: Final = Path(__file__).parents[3]
NAMED: Final = "AURORASOC_TEST_CHROMIUM"
FOLDER: Final = "tests/functional/page"


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide every browser of this machine behind a PATH of one empty folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.delenv(NAMED, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(file: Path) -> Path:
    """Make something that can be run."""
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def run_one_test(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run one test that needs a browser, in the PATH of this test and with `variables`."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    argv += ["-k", "whole_job", f"{FOLDER}/test_story.py"]
    return subprocess.run(
        argv,
        env=bare_env(PATH=os.environ["PATH"], **variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("bare_path")
def test_without_any_browser_its_tests_are_left_out_and_say_how_to_have_one() -> None:
    """The reason names the command."""
    done = run_one_test()
    seen = (done.returncode, "1 skipped" in done.stdout, CHROMIUM.missing in done.stdout)
    assert seen == (0, True, True)


@pytest.mark.usefixtures("bare_path")
def test_without_any_browser_its_tests_fail_in_ci() -> None:
    """With CI set, leaving them out is an error."""
    done = run_one_test(CI="true")
    assert (done.returncode, CHROMIUM.missing in done.stdout) == (1, True)


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_path_is_taken(bare_path: Path, name: str) -> None:
    """By any of its usual names."""
    assert chromium_binary() is None
    assert program(bare_path / name) == chromium_binary()


def test_a_named_browser_wins_over_path(
    bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is asked first."""
    program(bare_path / "chromium")
    named = program(tmp_path / "mine")
    monkeypatch.setenv(NAMED, str(named))
    assert chromium_binary() == named


@pytest.mark.usefixtures("bare_path")
def test_a_named_file_that_is_no_program_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for by name is never silently replaced."""
    monkeypatch.setenv(NAMED, str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match=NAMED):
        chromium_binary()
