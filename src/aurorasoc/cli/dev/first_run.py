"""What `aurorasoc dev` prints, and writes to `dev.env` for the shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aurorasoc.config.settings.private_files import replace_private_file
from aurorasoc.local_model import MODEL_NAME
from aurorasoc.web import SETTINGS_PAGE, SIGN_IN_MARK

SHELL_FILE: Final = "dev.env"

_QUESTION: Final = (
    '{"messages": [{"role": "user", "content": "Explain phishing in one sentence."}]}'
)

_ALERT: Final = (
    '{"tlp": "RED", "alert": {"title": "Ransomware attack on the server web01", '
    '"severity": "critical", "message": "The program locker.exe encrypted 4000 files on the server '
    'web01 and left a note that demands a payment."}}'
)
"""The alert of docs/first-run.md: the small model's verdict on it is right, and it quotes it."""


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The addresses and the token of a first run.

    Attributes:
        url: The API.
        token: An admin's bearer token.
        model_url: The local model; None without one.
        state_dir: The state folder.
    """

    url: str
    token: str
    model_url: str | None
    state_dir: Path

    @property
    def sign_in_link(self) -> str:
        """The settings page, with the token where no browser sends it: in the fragment."""
        return f"{self.url}{SETTINGS_PAGE}{SIGN_IN_MARK}{self.token}"


def instructions(run: FirstRun) -> str:
    """Write `dev.env` (0600), and return the lines that say what to try."""
    file = run.state_dir / SHELL_FILE
    replace_private_file(
        file,
        f"AURORA_URL={run.url}\nAURORA_TOKEN={run.token}\nLOCAL_MODEL_URL={run.model_url or ''}\n",
    )
    return "\n".join(
        [
            "",
            f"aurorasoc is ready at {run.url}",
            _who_answers(run.model_url),
            "",
            "Open the settings page in a browser on this machine; this link signs you in:",
            f"  {run.sign_in_link}",
            "",
            f"Admin token (12 hours): {run.token}",
            "",
            "Try, in another shell:",
            f"  . {shlex.quote(str(file))}",
            '  api() { call=$1; shift; curl -sS -H "Authorization: Bearer $AURORA_TOKEN" \\',
            '    -H \'Content-Type: application/json\' "$AURORA_URL/api/v1$call" "$@"; echo; }',
            "  api /system/llm/providers",
            f"  api /chat -d '{_QUESTION}'",
            f"  api /investigations -d '{_ALERT}'",
            "",
            "docs/first-run.md goes on: store a key, switch, ask again. Ctrl-C stops everything.",
        ]
    )


def _who_answers(model_url: str | None) -> str:
    if model_url is None:
        return "No local model runs: set a provider and its key before you chat."
    return (
        f"{MODEL_NAME} answers at {model_url}/v1. It is a real language model and a very small "
        "one: it tests the plumbing, not answer quality."
    )
