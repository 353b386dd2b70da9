"""`aurorasoc keys rotate` and `keys doctor`: what they do, say, and leave alone."""

from pathlib import Path
from typing import Final

import pytest

from tests.world.databases import ON_BOTH
from tests.world.installation import NEW, OLD, Installation
from tests.world.sealed import opened
from tests.world.service import SESSION_SECRET
from tests.world.shell import Outcome, Shell

LOST: Final = "seed-that-nobody-has-any-more-0123456789"
ROTATE: Final = ("keys", "rotate")
DOCTOR: Final = ("keys", "doctor")

pytestmark = ON_BOTH


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell without a database: that is the installation's."""
    return Shell(monkeypatch, capsys)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation that ran on OLD."""
    return Installation(tmp_path / "state")


def typed(shell: Shell, installation: Installation, *arguments: str, **overrides: str) -> Outcome:
    """Run a command as an operator does who rotates from OLD to NEW, with `overrides`."""
    return shell.within(installation.variables(**overrides))(*arguments)


def test_check_says_what_would_be_done_and_changes_nothing(
    installation: Installation, shell: Shell
) -> None:
    """`--check` lists every row that an older seed sealed, and writes not even an entry."""
    before = installation.stored.dump()
    outcome = typed(shell, installation, *ROTATE, "--check", "--json")
    result = outcome.json
    assert (outcome.code, result["checked_only"], result["unreadable"]) == (0, True, False)
    assert {item["name"] for item in result["items"]} == set(installation.sealed)
    assert installation.stored.dump() == before


def test_rotation_says_what_it_did(installation: Installation, shell: Shell) -> None:
    """It lists what `--check` announced, and nothing at the second time."""
    announced = typed(shell, installation, *ROTATE, "--check", "--json").json
    done = typed(shell, installation, *ROTATE, "--json")
    assert (done.code, done.json["items"]) == (0, announced["items"])
    again = typed(shell, installation, *ROTATE, "--json")
    nothing = {"checked_only": False, "items": [], "unreadable": False}
    assert (again.code, again.json) == (0, nothing)


def test_first_secret_key_costs_no_key(tmp_path: Path, shell: Shell) -> None:
    """An installation that ran on JWT_SECRET_KEY keeps every key, also when that changes later."""
    installation = Installation(tmp_path / "state", sealed_under=SESSION_SECRET)
    first = {"AURORA_SECRET_KEY_PREVIOUS": ""}
    doctor = typed(shell, installation, *DOCTOR, **first)
    assert doctor.code == 1  # works, and asks for a rotation
    assert typed(shell, installation, *ROTATE, **first).code == 0
    installation.check_done()
    moved_on = first | {"JWT_SECRET_KEY": "another-session-secret-0123456789abcdef"}
    doctor = typed(shell, installation, *DOCTOR, "--json", **moved_on)
    states = {finding["state"] for finding in doctor.json}
    assert (doctor.code, states) == (0, {"sealed under the current seed"})


def test_rows_that_no_seed_opens_are_left_and_told(
    installation: Installation, shell: Shell
) -> None:
    """They stay byte for byte, the exit code is 1, and the doctor says what to do."""
    before = installation.tokens()
    lost = {"AURORA_SECRET_KEY_PREVIOUS": LOST}
    outcome = typed(shell, installation, *ROTATE, "--json", **lost)
    result = outcome.json
    assert (outcome.code, result["items"], result["unreadable"]) == (1, [], True)
    assert installation.tokens() == before
    doctor = typed(shell, installation, *DOCTOR, "--json", **lost)
    assert (doctor.code, len(doctor.json)) == (1, installation.rows)
    assert all("AURORA_SECRET_KEY_PREVIOUS" in finding["advice"] for finding in doctor.json)


def test_check_of_unreadable_rows_exits_with_1_too(
    installation: Installation, shell: Shell
) -> None:
    """`--check` can stand in a deployment's gate."""
    lost = {"AURORA_SECRET_KEY_PREVIOUS": LOST}
    assert typed(shell, installation, *ROTATE, "--check", **lost).code == 1


def test_giving_the_seed_back_heals(installation: Installation, shell: Shell) -> None:
    """After a rotation that found the seed missing, one that has it loses nothing."""
    assert typed(shell, installation, *ROTATE, AURORA_SECRET_KEY_PREVIOUS=LOST).code == 1
    both = f"{LOST},{OLD}"
    assert typed(shell, installation, *ROTATE, AURORA_SECRET_KEY_PREVIOUS=both).code == 0
    assert opened(installation.stored, NEW) == installation.keys
    installation.verify(NEW)


def test_what_is_printed_holds_no_key_and_no_seed(installation: Installation, shell: Shell) -> None:
    """Neither command shows a key, a seed or a token, as text or as JSON."""
    secrets = [*installation.keys.values(), *installation.sealed.values(), OLD, NEW]
    for command in ((*ROTATE, "--check"), DOCTOR, ROTATE, DOCTOR):
        for form in ((), ("--json",)):
            outcome = typed(shell, installation, *command, *form)
            assert outcome.out
            assert not any(secret in outcome.out + outcome.err for secret in secrets)
