"""The environment of a child process of `aurorasoc dev` or of the demo."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from aurorasoc.config.settings import FILE_ENCODING, SECRETS_FILE
from aurorasoc.config.settings.private_files import check_private_file

_NEUTRAL = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT")
"""What any program needs to start; no settings, proxies or keys."""


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment plus the child's defaults.

    Args:
        extra: The defaults; this process's variables win.
    """
    return {**extra, **os.environ}


def bare_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the user's settings.

    Args:
        extra: The child's settings.
    """
    return {name: os.environ[name] for name in _NEUTRAL if name in os.environ} | dict(extra)


def stored_secrets(state_dir: Path) -> dict[str, str]:
    """Read `secrets.env`: `serve` doesn't, so `dev` passes it on as variables."""
    check_private_file(state_dir / SECRETS_FILE)
    values = dotenv_values(state_dir / SECRETS_FILE, encoding=FILE_ENCODING)
    return {name: value for name, value in values.items() if value}


def is_set(variable: str) -> bool:
    """Return whether a variable is set, even if empty."""
    return variable in os.environ
