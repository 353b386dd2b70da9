"""Files of the state folder: their owner's alone, created anew, and never reached over a link.

Whoever else could place or replace `secrets.env` would choose the seeds that keys are sealed
under, or read them.
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
    """Create the state folder for its owner only, or check the one that is there.

    Raises:
        ConfigurationError: It is somebody else's, a link, or open to everybody.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_private_folder(folder)


def check_private_folder(folder: Path) -> None:
    """Refuse a state folder in which others can place files. One that is missing passes.

    Raises:
        ConfigurationError: It is somebody else's, a link, or open to everybody.
    """
    found = _status(folder)
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        _refuse("AURORA_STATE_DIR must be a folder and no link. Name the folder itself.")
    if not _is_ours(found) or found.st_mode & stat.S_IWOTH:
        _refuse(
            "AURORA_STATE_DIR must belong to the user who runs this, or to root, and must not be "
            "writable by everybody. Change its owner or mode, or name another folder."
        )


def check_private_file(file: Path) -> None:
    """Refuse a file of the state folder that somebody else could have written.

    Raises:
        ConfigurationError: It is somebody else's, a link, or writable by others.
    """
    found = _status(file)
    if found is None:
        return
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISREG(found.st_mode) or not _is_ours(found) or others_write:
        _refuse(
            f"{file.name} in AURORA_STATE_DIR must be a plain file, no link, that belongs to the "
            "user who runs this, or to root, and that nobody else can write. Check who made it."
        )


def create_private_file(file: Path, text: str) -> None:
    """Write a file that isn't there yet, for its owner only.

    Raises:
        ConfigurationError: Something of that name is there, be it a link that leads nowhere.
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
    """Write a file anew, for its owner only; what stood there is removed and not followed."""
    file.unlink(missing_ok=True)
    create_private_file(file, text)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid in {os.geteuid(), _ROOT}


def _refuse(detail: str) -> NoReturn:
    raise ConfigurationError(detail)
