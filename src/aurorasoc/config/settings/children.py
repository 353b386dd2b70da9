"""The environment of a child process of `aurorasoc dev` or of the demo."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from aurorasoc.config.settings import SECRETS_FILE
from aurorasoc.config.settings.private_files import check_private_file

_NEUTRAL = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT")
"""What a program needs to be found and to speak; no setting, no proxy, no key."""


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give this process's environment, with what the child needs beside it.

    Args:
        extra: Used where the environment doesn't set the variable already.
    """
    return {**extra, **os.environ}


def bare_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Give an environment in which nothing of the user's settings counts.

    Args:
        extra: All that the child is told.
    """
    return {name: os.environ[name] for name in _NEUTRAL if name in os.environ} | dict(extra)


def stored_secrets(state_dir: Path) -> dict[str, str]:
    """Read `secrets.env`: `serve` doesn't, so that `dev` hands its content on."""
    check_private_file(state_dir / SECRETS_FILE)
    found = dotenv_values(state_dir / SECRETS_FILE)
    return {name: value for name, value in found.items() if value}


def is_set(variable: str) -> bool:
    """Whether a variable is set here, empty or not."""
    return variable in os.environ
