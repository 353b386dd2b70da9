"""`tools/plain_english.py` refuses each kind of banned word, and `make lint` runs it."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = "tools/plain_english.py"


def _load() -> ModuleType:
    """Return the script as a module: `tools` is no package."""
    spec = spec_from_file_location("plain_english", ROOT / SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


CHECK: Final = _load()

REFUSED: Final = {
    "function's docstring": ('def f():\n    """Give it."""\n', 1, "Give"),
    "async function's docstring": ('async def f():\n    """Give it."""\n', 1, "Give"),
    "class's docstring": ('x = 1\n\nclass C:\n    """Gives it."""\n', 3, "Gives"),
    "module's docstring": ('"""Give it."""\n', 1, "Give"),
    "variable": ("x = 1\nfound = x\n", 2, "found"),
    "loop variable": ("for own in ():\n    pass\n", 1, "own"),
    "walrus": ("print(told := 1)\n", 1, "told"),
    "parameter": ("def f(a, *, wanted=None):\n    return a\n", 1, "wanted"),
    "keyword parameters": ("def f(**own):\n    return 1\n", 1, "own"),
    "lambda's parameter": ("f = lambda found: 1\n", 1, "found"),
    "class": ("class Seen:\n    pass\n", 1, "Seen"),
}

CLEAN: Final = '''"""Return one of many."""


class Given:
    """A row that was found: its own words."""


def f(row: Given) -> Given:
    """Return the row; give up never."""
    row.found = row.told  # an attribute that another library names
    return row
'''


def _refused(file: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that are printed for a text; the exit code says whether there are any."""
    file.write_text(text, "utf-8")
    code = CHECK.main([str(file)])
    lines = capsys.readouterr().out.splitlines()
    assert code == bool(lines)
    return lines


@pytest.mark.parametrize(("text", "line", "word"), REFUSED.values(), ids=REFUSED)
def test_word_is_refused_where_it_stands(
    text: str, line: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, with its place and what to write instead."""
    file = tmp_path / "a.py"
    instead = CHECK.OPENINGS.get(word) or CHECK.NAMES[word]
    assert _refused(file, text, capsys) == [f"{file}:{line}: “{word}”: write {instead}"]


@pytest.mark.parametrize("suffix", ["md", "py"])
@pytest.mark.parametrize("phrase", CHECK.PHRASES)
def test_phrase_is_refused_across_a_line_break(
    phrase: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In documents and in code, however the lines are broken."""
    for separator in (" ", "\n", "\n    "):
        text = f'"""First line.\n{phrase.replace(" ", separator)}\n"""\n'
        (line,) = _refused(tmp_path / f"a.{suffix}", text, capsys)
        assert f":2: “{phrase}”: write {CHECK.PHRASES[phrase]}" in line


def test_clean_text_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words that only resemble the refused, or aren't ours to choose, are left alone."""
    assert _refused(tmp_path / "a.py", CLEAN, capsys) == []
    assert _refused(tmp_path / "a.md", "Give it a name; found, own, told.\n", capsys) == []


def test_folder_is_read_to_its_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code and documents in it; what is neither is not."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    for name in ("c.py", "c.txt"):
        (folder / name).write_text("found = 1\n", "utf-8")
    assert CHECK.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.count(f"{folder}/c.") == 1


def test_lint_runs_it_on_code_and_documents() -> None:
    """A refusal fails `make lint`: nothing in the line forgives it."""
    recipe = re.search(r"(?m)^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"))
    assert recipe is not None
    (command,) = (line.strip() for line in recipe[1].splitlines() if SCRIPT in line)
    program, script, *places = command.split()
    assert (program, script) == ("@$(BIN)/python", SCRIPT)
    assert {"src", "tests", "benchmarks", "demo", "tools", "docs", "README.md"} <= set(places)
    assert all((ROOT / place).exists() for place in places)
