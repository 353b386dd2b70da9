"""Create and check private files in the state folder; never follow a link.

Another user who could write `secrets.env` would choose the seeds that encrypt stored keys.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NoReturn

from aurorasoc.errors import ConfigurationError

_ROOT: Final = 0
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def make_private_folder(folder: Path) -> None:
    """Create the state folder for its owner only, or check an existing one.

    Raises:
        ConfigurationError: It belongs to another user, is a link, or is writable by everyone.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Refuse a state folder in which others can create files. A missing one passes.

    Raises:
        ConfigurationError: It belongs to another user, is a link, or is writable by everyone.
    """
    status = _status(folder)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        _refuse("AURORA_STATE_DIR must be a folder and no link. Set it to the folder itself.")
    if not _is_ours(status) or status.st_mode & stat.S_IWOTH:
        _refuse(
            "AURORA_STATE_DIR must belong to the current user or to root, and must not be "
            "writable by everyone. Change its owner or mode, or set another folder."
        )


def check_private_file(file: Path) -> None:
    """Refuse a file in the state folder that another user could have written.

    Raises:
        ConfigurationError: It belongs to another user, is a link, or is writable by others.
    """
    status = _status(file)
    if status is None:
        return
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or others_write:
        _refuse(
            f"{file.name} in AURORA_STATE_DIR must be a plain file and no link. It must belong "
            "to the current user or to root, and be writable by no one else. Check who created it."
        )


def create_private_file(file: Path, text: str) -> None:
    """Create a file that only its owner can read.

    Raises:
        ConfigurationError: The name is taken, even by a dangling link.
    """
    try:
        descriptor = os.open(file, _CREATE, 0o600)
    except FileExistsError:
        descriptor = None
    if descriptor is None:
        _refuse(f"{file.name} in AURORA_STATE_DIR was placed there meanwhile. Check who made it.")
    with open(descriptor, "w", encoding="ascii") as sink:  # noqa: PTH123 - a descriptor, not a path
        sink.write(text)


def replace_private_file(file: Path, text: str) -> None:
    """Replace a file with one that only its owner can read; remove a link, never follow it."""
    file.unlink(missing_ok=True)
    create_private_file(file, text)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass
    detail = "AURORA_STATE_DIR can't be read. Check its path, its owner and its mode."
    raise ConfigurationError(detail)


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in {os.geteuid(), _ROOT}


def _refuse(detail: str) -> NoReturn:
    raise ConfigurationError(detail)
