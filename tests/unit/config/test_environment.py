"""The environment is read in one room."""

import re
from pathlib import Path
from typing import Final

import pytest

import aurorasoc
from aurorasoc.config.settings.ambient import ambient_overrides, proxies
from aurorasoc.config.vocabulary import ServingBackend

SOURCE: Final = Path(aurorasoc.__file__).parent
READERS: Final = re.compile(
    r"os\.(environ|getenv|putenv|unsetenv)|from os import|getproxies|load_dotenv"
)
ROOM: Final = "config/settings/"

OVERRIDES: Final = [
    (ServingBackend.ANTHROPIC, "ANTHROPIC_API_HEADERS"),
    (ServingBackend.ANTHROPIC, "ANTHROPIC_AUTH_TOKEN"),
    (ServingBackend.DEEPSEEK, "DEEPSEEK_API_HEADERS"),
    (ServingBackend.GEMINI, "GEMINI_API_BASE"),
    (ServingBackend.GEMINI, "GEMINI_API_HEADERS"),
    (ServingBackend.OLLAMA, "OLLAMA_API_HEADERS"),
    (ServingBackend.OPENAI, "OPENAI_API_HEADERS"),
    (ServingBackend.OPENAI, "OPENAI_ORGANIZATION"),
    (ServingBackend.VLLM, "OPENAI_API_HEADERS"),
    (ServingBackend.VLLM, "OPENAI_ORGANIZATION"),
]


def _reading_files() -> set[str]:
    return {
        file.relative_to(SOURCE).as_posix()
        for file in SOURCE.rglob("*.py")
        if READERS.search(file.read_text())
    }


def test_environment_is_read_by_the_settings_only() -> None:
    """Nobody else; what the model libraries see of it is decided there as well."""
    assert {file for file in _reading_files() if not file.startswith(ROOM)} == set()


def test_search_finds_the_known_readers() -> None:
    """The search above would see a reader."""
    known = {"config/settings/ambient.py", "config/settings/library_environment.py"}
    assert known <= _reading_files()


@pytest.mark.parametrize(("provider", "variable"), OVERRIDES)
def test_variable_that_would_alter_calls_is_named(
    provider: ServingBackend, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the model libraries add even to explicit calls is found."""
    monkeypatch.setenv(variable, "x")
    assert variable in ambient_overrides(provider)


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_clean_environment_alters_nothing(provider: ServingBackend) -> None:
    """No variable, no finding."""
    assert ambient_overrides(provider) == ()


def test_empty_variable_alters_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries take an empty variable for none."""
    monkeypatch.setenv("OPENAI_ORGANIZATION", "")
    assert ambient_overrides(ServingBackend.OPENAI) == ()


def test_proxies_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme, and `no` for those that go without."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert proxies() == {"https": "http://proxy:3128", "no": "localhost"}
