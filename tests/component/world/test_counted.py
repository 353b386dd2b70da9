"""Counting branches: what a worker counts reaches the run, and too little fails it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.world.processes import bare_env

ROOT: Final = Path(__file__).parents[3]
TEST: Final = """
from aurorasoc.core.clock import iso

def test_one_function_of_ours():
    assert iso(0)
"""


def test_a_run_that_takes_few_of_our_branches_fails_although_its_tests_pass(tmp_path: Path) -> None:
    """It says what it took: more than nothing, so the worker's counts arrived."""
    file = tmp_path / "test_one.py"
    file.write_text(TEST)
    plugins = ("-p", "tests.world.counted", "-p", "no:randomly")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n1", *plugins, f"--rootdir={tmp_path}", str(file)],
        env=bare_env(PYTHONPATH=str(ROOT), PYTEST_ADDOPTS=""),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout
    assert done.returncode == 1
    last = next(line for line in done.stdout.splitlines() if line.startswith("lines and branches"))
    assert last.endswith("%, and must be 90 %")
    assert float(last.split()[4]) > 0
