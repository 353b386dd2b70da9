"""Which Vault the tests take, what happens where there is none, and what ours refuses."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.processes import bare_env
from tests.world.programs import IN_CI
from tests.world.vault.server import VAULT, program_kind, vault_binary

NAMED = "AURORASOC_TEST_VAULT_BIN"
TOOLS = ("bash", "cat", "dirname", "sha256sum", "shasum")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Make a folder with the tools that finding a Vault takes, for a PATH without any Vault."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        if path := shutil.which(tool):
            (folder / tool).symlink_to(path)
    return folder


@pytest.fixture
def _no_vault(monkeypatch: pytest.MonkeyPatch, bare_path: Path, tmp_path: Path) -> None:
    """Hide every Vault of this machine."""
    monkeypatch.delenv(NAMED, raising=False)
    monkeypatch.setenv("PATH", str(bare_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("_no_vault")
def test_without_any_vault_there_is_none() -> None:
    """Nothing is made up, and nothing is built unasked."""
    assert vault_binary() is None


@pytest.mark.usefixtures("vault_program", "_no_vault")
def test_without_any_vault_its_tests_are_left_out_and_say_how_to_have_them(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook that pytest calls marks a test that asks for the program: this one."""
    monkeypatch.delenv(IN_CI, raising=False)
    VAULT.leave_out([request.node])
    mark = request.node.get_closest_marker("skip")
    assert mark is not None
    assert mark.args == (VAULT.missing,)


@pytest.mark.usefixtures("_no_vault")
def test_a_test_that_needs_no_vault_is_not_left_out(request: pytest.FixtureRequest) -> None:
    """It asks for another fixture."""
    VAULT.leave_out([request.node])
    assert request.node.get_closest_marker("skip") is None


@pytest.mark.usefixtures("vault_program", "_no_vault")
def test_without_any_vault_its_tests_fail_in_ci(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CI set, none is left out, and the fixture fails."""
    monkeypatch.setenv(IN_CI, "true")
    VAULT.leave_out([request.node])
    assert request.node.get_closest_marker("skip") is None
    with pytest.raises(pytest.fail.Exception, match=re.escape(VAULT.missing)):
        VAULT.required()


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
    """Return the program that `make vault` built; skip where the tests run on another."""
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
