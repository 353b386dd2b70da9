"""The state folder and its files: ours alone, created anew, and no link is followed."""

import os
import stat
from pathlib import Path

import pytest

from aurorasoc.config.settings import SECRETS_FILE, load_settings
from aurorasoc.config.settings.child_environment import stored_secrets
from aurorasoc.config.settings.private_files import (
    create_private_file,
    make_private_folder,
    replace_private_file,
)
from aurorasoc.errors import ConfigurationError
from tests.examples import JWT_SECRET, settings

LINE = f"JWT_SECRET_KEY={JWT_SECRET}\n"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a state folder that was made as it should be."""
    made = tmp_path / "state"
    make_private_folder(made)
    return made


def refused(folder: Path, match: str) -> None:
    """Hold every way to the secrets to a refusal."""
    with pytest.raises(ConfigurationError, match=match):
        settings(folder)


def test_own_file_is_read(folder: Path) -> None:
    """Made as `dev` makes it."""
    create_private_file(folder / SECRETS_FILE, LINE)
    assert stat.S_IMODE((folder / SECRETS_FILE).stat().st_mode) == 0o600
    assert settings(folder).security.jwt_secret_key is not None
    assert stored_secrets(folder) == {"JWT_SECRET_KEY": JWT_SECRET}


def test_link_instead_of_the_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """Neither in reading nor in writing, wherever it leads."""
    target = tmp_path / "elsewhere"
    target.write_text(LINE)
    (folder / SECRETS_FILE).symlink_to(target)
    refused(folder, r"secrets\.env .* no link")
    with pytest.raises(ConfigurationError, match=r"secrets\.env"):
        stored_secrets(folder)
    with pytest.raises(ConfigurationError, match="placed there"):
        create_private_file(folder / SECRETS_FILE, "new\n")
    assert target.read_text() == LINE


def test_link_that_leads_nowhere_yet_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    """Its target would be created where somebody else reads it."""
    (folder / SECRETS_FILE).symlink_to(tmp_path / "not there")
    with pytest.raises(ConfigurationError, match="placed there"):
        create_private_file(folder / SECRETS_FILE, LINE)
    assert not (tmp_path / "not there").exists()


def test_file_that_is_written_anew_replaces_a_link(folder: Path, tmp_path: Path) -> None:
    """What it led to stays as it was."""
    target = tmp_path / "elsewhere"
    target.write_text("theirs")
    (folder / "dev.env").symlink_to(target)
    replace_private_file(folder / "dev.env", "ours")
    assert (target.read_text(), (folder / "dev.env").read_text()) == ("theirs", "ours")
    assert not (folder / "dev.env").is_symlink()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_file_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    """They would choose the seeds."""
    create_private_file(folder / SECRETS_FILE, LINE)
    (folder / SECRETS_FILE).chmod(mode)
    refused(folder, "secrets.env")


def test_folder_that_everybody_can_write_is_refused(folder: Path) -> None:
    """The sticky bit doesn't help: a file that isn't there yet can be placed there."""
    folder.chmod(0o1777)
    refused(folder, "AURORA_STATE_DIR")
    with pytest.raises(ConfigurationError, match="AURORA_STATE_DIR"):
        make_private_folder(folder)


def test_link_instead_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    """Whoever made the link chooses the folder."""
    link = tmp_path / "link"
    link.symlink_to(folder)
    refused(link, "no link")


@as_root
def test_what_somebody_else_owns_is_refused(folder: Path) -> None:
    """The file, or all of the folder."""
    create_private_file(folder / SECRETS_FILE, LINE)
    os.chown(folder / SECRETS_FILE, 65534, 65534)
    refused(folder, "secrets.env")
    os.chown(folder / SECRETS_FILE, 0, 0)
    os.chown(folder, 65534, 65534)
    refused(folder, "AURORA_STATE_DIR")


def test_folder_that_is_not_there_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service on PostgreSQL needs none."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path / "missing"))
    assert load_settings(secrets_file=False).server.state_dir == tmp_path / "missing"
