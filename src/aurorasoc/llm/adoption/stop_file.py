"""This host's own stop of hosted traffic: a file in the state folder, which needs no database.

As long as `hosted.stop` is there, traffic is stopped, whatever the file holds and whoever made it.
`hosted.allowed` says who removed it last, and why, for the audit log.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from aurorasoc.config.hosted_traffic import MAX_REASON, HostedTraffic
from aurorasoc.config.settings.private_files import (
    create_private_file,
    make_private_folder,
    replace_private_file,
)
from aurorasoc.core.clock import iso
from aurorasoc.granite.hosted_stop import STOP_FILE

ALLOWED_FILE: Final = "hosted.allowed"
MAX_BYTES: Final = 4096

_UNREADABLE: Final = HostedTraffic("stopped", reason="the state folder can't be read")


class Mark(NamedTuple):
    """Tells one state of the file from another, without reading it."""

    inode: int
    changed_ns: int
    size: int


class _Said(BaseModel):
    """What a file says; all of it is shown, so all of it is bounded."""

    by: str | None = Field(None, max_length=255)
    reason: str | None = Field(None, max_length=MAX_REASON)
    since: str | None = Field(None, max_length=32)
    stopped_since: str | None = Field(None, max_length=32)


@dataclass(frozen=True, slots=True)
class Release:
    """The last release of this host's stop.

    Attributes:
        stopped_since: Since when it had been stopped: names the stop.
    """

    by: str
    reason: str | None
    stopped_since: str


def mark_of(folder: Path) -> Mark | None:
    """Return a mark of the stop file; None where it isn't. Takes microseconds on a local disk."""
    try:
        status = (folder / STOP_FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return Mark(0, 0, 0)  # nobody knows whether it is there
    return Mark(status.st_ino, status.st_ctime_ns, status.st_size)


def stop_in(folder: Path) -> HostedTraffic | None:
    """Return this host's stop; None where there is no file. One that says nothing counts, too."""
    file = folder / STOP_FILE
    try:
        status = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return _UNREADABLE
    said = _read(file)
    since = said.since or iso(status.st_mtime_ns // 1000)
    by = said.by or f"uid {status.st_uid} on {socket.gethostname()}"
    return HostedTraffic("stopped", since, by, said.reason)


def release_in(folder: Path) -> Release | None:
    """Return the last release of a stop, if somebody released one by command."""
    said = _read(folder / ALLOWED_FILE)
    if said.by is None or said.stopped_since is None:
        return None
    return Release(said.by, said.reason, said.stopped_since)


def make_stop(folder: Path, stop: HostedTraffic) -> bool:
    """Make the stop file, for its owner alone; return whether it wasn't there.

    Raises:
        ConfigurationError: The folder can't be trusted.
        OSError: It can't be written.
    """
    make_private_folder(folder)
    if mark_of(folder) is not None:
        return False
    create_private_file(folder / STOP_FILE, _text(stop.by, stop.reason, stop.since))
    return True


def remove_stop(folder: Path, *, by: str, reason: str, since: str) -> bool:
    """Remove the stop file, and note who did and why; return whether it was there.

    Raises:
        ConfigurationError: The note can't be written safely.
        OSError: One of them can't be written.
    """
    stop = stop_in(folder)
    if stop is None:
        return False
    note = _text(by, reason, since, stop.since)
    replace_private_file(folder / ALLOWED_FILE, note)
    try:
        (folder / STOP_FILE).unlink()
    except OSError:  # it is a folder, or nobody may write here
        (folder / ALLOWED_FILE).unlink(missing_ok=True)
        raise
    return True


def _text(by: str | None, reason: str | None, since: str | None, stopped: str | None = None) -> str:
    said = _Said(by=by, reason=reason, since=since, stopped_since=stopped)
    return json.dumps(said.model_dump(exclude_none=True)) + "\n"


def _read(file: Path) -> _Said:
    """Read what a file says; nothing, where it is no plain file or of another's making."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return _Said()
    try:
        text = os.read(descriptor, MAX_BYTES).decode("utf-8", "replace")
        said = _Said.model_validate_json(text)
    except (OSError, ValidationError):
        return _Said()
    finally:
        os.close(descriptor)
    return (
        said if all(map(str.isprintable, said.model_dump(exclude_none=True).values())) else _Said()
    )
