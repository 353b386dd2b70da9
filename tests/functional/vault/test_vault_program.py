"""Which Vault the tests take, what happens where there is none, and what ours refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.processes import bare_env
from tests.world.vault.server import VAULT, program_kind, vault_binary

ROOT = Path(__file__).parents[3]
NAMED = "AURORASOC_TEST_VAULT_BIN"
TOOLS = ("bash", "cat", "dirname", "sha256sum", "shasum")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Make a folder with the tools that finding a Vault takes, for a PATH without any Vault."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def _no_vault(monkeypatch: pytest.MonkeyPatch, bare_path: Path, tmp_path: Path) -> None:
    """Hide every Vault of this machine."""
    monkeypatch.delenv(NAMED, raising=False)
    monkeypatch.setenv("PATH", str(bare_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run_one_test(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run one test that needs a Vault, in the environment of this test and `variables`."""
    seen = {name: os.environ[name] for name in ("PATH", "XDG_CACHE_HOME")}
    folder = "tests/component/vault"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    argv += ["--confcutdir", "tests", "-k", "begin_at_one", f"{folder}/test_vault_server.py"]
    return subprocess.run(
        argv,
        env=bare_env(**seen, **variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("_no_vault")
def test_without_any_vault_there_is_none() -> None:
    """Nothing is made up, and nothing is built unasked."""
    assert vault_binary() is None


@pytest.mark.usefixtures("_no_vault")
def test_without_any_vault_its_tests_are_left_out_and_say_how_to_have_them() -> None:
    """The reason names the command."""
    done = run_one_test()
    assert (done.returncode, "1 skipped" in done.stdout, VAULT.missing in done.stdout) == (
        0,
        True,
        True,
    )


@pytest.mark.usefixtures("_no_vault")
def test_without_any_vault_its_tests_fail_in_ci() -> None:
    """With CI set, leaving them out is an error."""
    done = run_one_test(CI="true")
    assert (done.returncode, VAULT.missing in done.stdout) == (1, True)


@pytest.mark.usefixtures("_no_vault")
def test_a_named_program_that_is_no_vault_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for by name is never silently replaced by something else."""
    monkeypatch.setenv(NAMED, sys.executable)
    with pytest.raises(FileNotFoundError, match=NAMED):
        vault_binary()


def test_a_named_program_wins_over_path(
    vault_program: Path, bare_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is asked first."""
    named = tmp_path / "named"
    for place in (named, bare_path / "vault"):
        place.symlink_to(vault_program)
    monkeypatch.setenv(NAMED, str(named))
    monkeypatch.setenv("PATH", str(bare_path))
    assert vault_binary() == named


@pytest.mark.usefixtures("_no_vault")
@pytest.mark.parametrize("name", ["vault", "bao"])
def test_a_vault_on_path_is_taken_before_the_built_one(
    vault_program: Path, bare_path: Path, name: str
) -> None:
    """A released server of either name will do."""
    (bare_path / name).symlink_to(vault_program)
    assert vault_binary() == bare_path / name


@pytest.mark.usefixtures("_no_vault")
def test_a_program_on_path_that_only_shares_the_name_is_passed_over(bare_path: Path) -> None:
    """There are other programs called vault."""
    (bare_path / "vault").symlink_to(sys.executable)
    assert vault_binary() is None


# --- our own program ---------------------------------------------------------------------------


@pytest.fixture
def our_program(vault_program: Path) -> Path:
    """Give the program that `make vault` built; skip where the tests run on another."""
    if program_kind(vault_program) != "ours":
        pytest.skip("the tests run on a released Vault")
    return vault_program


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["-data", "{data}", "-address", "0.0.0.0:0"], "is not on loopback"),
        (["-data", "{data}", "-address", "localhost:0"], "is not on loopback"),
        (["-data", "{data}", "-address", "8200"], "is not IP:PORT"),
        ([], "-data is missing"),
        (["-data", "{data}", "-tls-cert", "chain.pem"], "go together"),
        (["-data", "{data}", "-log-level", "loud"], "is none of"),
        (["-data", "{data}", "server"], "was not understood"),
    ],
)
def test_wrong_flags_are_refused_in_one_line(
    our_program: Path, tmp_path: Path, flags: list[str], says: str
) -> None:
    """The line says what is wrong, and the status is 2."""
    argv = [flag.format(data=tmp_path / "data") for flag in flags]
    done = subprocess.run(
        [our_program, *argv], env=bare_env(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (2, True, 1)
