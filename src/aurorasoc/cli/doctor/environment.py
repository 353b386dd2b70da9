"""What the environment alone says: state folder, session secret, seeds."""

from __future__ import annotations

from pathlib import Path

from aurorasoc.cli.doctor.finding import Finding, good, wrong
from aurorasoc.config.settings.security import SecuritySettings


def state_folder(folder: Path) -> Finding:
    """Check the state folder; `load_settings()` has refused one that others can write."""
    state = str(folder) if folder.is_dir() else f"{folder} isn't there, and is made when needed"
    return good("state folder", state)


def session_secret(security: SecuritySettings) -> Finding:
    """Check that sessions can be signed."""
    if security.jwt_secret_key is not None:
        return good("session secret", "set")
    cure = "Set JWT_SECRET_KEY to at least 32 random characters; `aurorasoc serve` needs it."
    return wrong("session secret", "JWT_SECRET_KEY isn't set", cure)


def seeds(security: SecuritySettings) -> Finding:
    """Check what stored keys are sealed with."""
    if security.secret_key is not None:
        older = len(security.secret_key_previous)
        advice = "Run `aurorasoc keys rotate`, then drop AURORA_SECRET_KEY_PREVIOUS."
        return good("seeds", f"one, and {older} older", advice) if older else good("seeds", "one")
    cure = "Set AURORA_SECRET_KEY to at least 32 random characters, the same in every process."
    if security.jwt_secret_key is None:
        return wrong("seeds", "none, so no key can be stored", cure)
    state = "JWT_SECRET_KEY alone, so a new session secret makes stored keys unreadable"
    advice = "Set AURORA_SECRET_KEY, then run `aurorasoc keys rotate`."
    return good("seeds", state, advice)
