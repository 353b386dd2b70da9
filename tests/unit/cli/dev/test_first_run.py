"""What `aurorasoc dev` suggests to try is what the first run's page goes on with."""

import json
import re
from pathlib import Path
from typing import Any, Final

from aurorasoc.cli.dev.first_run import FirstRun, instructions

PAGE: Final = Path(__file__).resolve().parents[4] / "docs" / "first-run.md"


def test_the_alert_is_the_pages(tmp_path: Path) -> None:
    """It was chosen for what the small model makes of it."""
    printed = instructions(FirstRun("http://127.0.0.1:8080", "token", None, tmp_path))
    (suggested,) = re.findall(r"api /investigations -d '(.*)'", printed)
    (shown,) = re.findall(r"^alert='(.*)'$", PAGE.read_text("utf-8"), re.MULTILINE)
    alert: dict[str, Any] = json.loads(shown)
    assert json.loads(suggested) == {"tlp": "RED", "alert": alert}
