"""An alert's file: in any encoding of Unicode, alone or a line among others."""

import io
import json
from typing import Final

import pytest

from aurorasoc.cli import alert_file
from aurorasoc.cli.alert_file import read_alert
from aurorasoc.errors import InvalidInput

ALERT: Final = {"title": "Störung ∀", "host": "ws-1"}
EVE_LOG: Final = (
    b'{"event_type": "dns"}\n\n{"event_type": "flow", "note": "\\"alert\\""}\n'
    b'{"event_type": "alert", "n": 1}\n{"event_type": "alert", "n": 2}\n'
)


def _read(data: bytes, line: int | None = None) -> object:
    return read_alert(io.BytesIO(data), line)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n\r\n"])
def test_an_alert_is_read_in_any_encoding_of_unicode(encoding: str, ending: str) -> None:
    """PowerShell's redirection writes UTF-16, and its older versions a byte order mark."""
    text = json.dumps(ALERT, ensure_ascii=False) + ending
    assert _read(text.encode(encoding)) == ALERT


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_chosen_line_is_the_alert(encoding: str) -> None:
    """Counted as editors count, empty lines included."""
    data = EVE_LOG.decode().replace("\n", "\r\n").encode(encoding)
    assert _read(data, 4) == {"event_type": "alert", "n": 1}


def test_a_log_of_many_records_names_the_line_to_take() -> None:
    """The first alert: what else Suricata writes is context, and no alert."""
    with pytest.raises(InvalidInput, match=r"4 lines.* its first alert is --line 4"):
        _read(EVE_LOG)


def test_other_records_by_lines_say_how_to_choose() -> None:
    """Wazuh's alerts.json and others have alerts only."""
    with pytest.raises(InvalidInput, match=r"2 lines.* such as --line 2"):
        _read(b'\n{"rule": {"level": 3}}\n{"rule": {"level": 5}}\n')


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", None, "isn't JSON"),
        (b"{", None, "isn't JSON"),
        (b"[" * 100_000, None, "isn't JSON"),
        (b"one\ntwo\n", None, r"isn't JSON\. Put text into an object"),
        (b"1\n2\n", None, "isn't JSON"),
        ('{"title": "Störung"}'.encode("latin-1"), None, "UTF-8 or UTF-16"),
        (b"\xff\xfe{", None, "UTF-8 or UTF-16"),
        (EVE_LOG, 2, "Line 2 isn't JSON"),
        (EVE_LOG, 6, "no line 6: it has 5"),
        (EVE_LOG.rstrip(), 6, "no line 6: it has 5"),
    ],
)
def test_what_is_no_json_is_refused_in_words(data: bytes, line: int | None, words: str) -> None:
    """What is wrong, and with which line."""
    with pytest.raises(InvalidInput, match=words):
        _read(data, line)


def test_a_file_is_read_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of a busy network has gigabytes."""
    monkeypatch.setattr(alert_file, "MAX_FILE", 100)
    with pytest.raises(InvalidInput, match="larger than"):
        _read(EVE_LOG, 1)
