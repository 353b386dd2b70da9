"""The documents are true to the code."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest
import typer
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from aurorasoc.api.app import create_app
from aurorasoc.cli import app as cli
from aurorasoc.config.settings import ambient
from aurorasoc.config.settings.database import DatabaseSettings
from aurorasoc.config.settings.llm import LLMSettings, connection_settings_classes
from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.config.settings.server import ServerSettings
from aurorasoc.config.settings.telemetry import TelemetrySettings
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.database.tables import Base
from aurorasoc.granite.catalog import CATALOG
from tests.examples import settings

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
RECORDS: Final = sorted((DOCS / "decisions").glob("[0-9]*.md"))
SETTINGS: Final[tuple[type[BaseSettings], ...]] = (
    LLMSettings,
    *connection_settings_classes().values(),
    SecuritySettings,
    DatabaseSettings,
    VaultSettings,
    ServerSettings,
    TelemetrySettings,
)

LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PYTHON: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS: Final = re.compile(
    r"\b(?:(?:AURORA|JWT|LLM|OLLAMA|VAULT|VLLM)_[A-Z0-9_]*[A-Z0-9]|NO_COLOR"
    r"|OTEL_(?:EXPORTER_OTLP_[A-Z_]*(?:ENDPOINT|HEADERS)|[A-Z]+_EXPORTER|SDK_DISABLED))\b"
)
CODE: Final = re.compile(r'^    code(?:: ClassVar\[str\])? = "([a-z_]+)"', re.MULTILINE)
PROBLEM: Final = re.compile(r'Problem\(\s*"([a-z_]+)"')
CALL: Final = re.compile(r"^### `([A-Z]+) ([^`]+)`$", re.MULTILINE)
COMMAND: Final = re.compile(r"^\| `aurorasoc ([a-z -]+)", re.MULTILINE)
RECORD: Final = re.compile(r"decisions/(\d{3})")
SECTION: Final = re.compile(r"\barchitecture(?:\.md)?,? §(\d+(?:\.\d+)?)")
NAMED_PAGE: Final = re.compile(r"\bdocs/[a-z_/-]+\.md\b")
OLLAMAS: Final = {"OLLAMA_CONTEXT_LENGTH", "OLLAMA_KV_CACHE_TYPE", "OLLAMA_NUM_PARALLEL"}
"""What the Ollama server itself reads."""

CONNECTION: Final = re.compile(
    r"LLM_CONNECTION_[A-Z0-9_]+_(?:PROVIDER|BASE_URL|MODEL|ORCHESTRATOR_MODEL|API_KEY|MAX_TLP)"
)
"""What the environment calls a connection by a name of one's own."""

FIRST_RUN: Final = {"AURORA_URL", "AURORA_TOKEN"}  # the shell's own, from dev.env


def _page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its depth or above."""
    depth = heading.split(" ", 1)[0]
    _, _, after = text.partition(f"\n{heading}\n")
    return re.split(rf"^#{{1,{len(depth)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def _first_column(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _variables() -> Iterator[str]:
    for cls in SETTINGS:
        prefix = str(cls.model_config.get("env_prefix", ""))
        for name, field in cls.model_fields.items():
            alias = field.validation_alias
            if isinstance(alias, AliasChoices):
                yield from (str(choice) for choice in alias.choices)
            else:
                yield str(alias) if alias else f"{prefix}{name}".upper()


def _ambient() -> set[str]:
    return {name for names in ambient._OVERRIDES.values() for name in names}


def _routes(tmp_path: Path) -> set[tuple[str, str]]:
    paths = create_app(settings(tmp_path)).openapi()["paths"]
    return {(method.upper(), path) for path, item in paths.items() for method in item}


def _sources() -> list[str]:
    return [file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py")]


def _codes() -> set[str]:
    return {code for text in _sources() for code in CODE.findall(text)}


def _commands(group: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def _anchors(page: Path) -> set[str]:
    """Return the ids that GitHub makes of headings."""
    headings = HEADING.findall(FENCED.sub("", page.read_text("utf-8")))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.replace(" ", "-") for text in plain}


def test_every_variable_is_documented() -> None:
    """What the settings read, an operator can look up."""
    assert set(_variables()) - set(OURS.findall(_page("docs/configuration.md"))) == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_variable_is_documented_that_nothing_reads(page: Path) -> None:
    """A variable that has no effect is not offered."""
    text = CONNECTION.sub("", page.read_text("utf-8"))
    named = set(OURS.findall(text))
    assert named - set(_variables()) - FIRST_RUN - OLLAMAS - _ambient() == set()


def test_ambient_variables_are_documented_with_their_providers() -> None:
    """Exactly those that make a provider not ready, and exactly its providers."""
    section = _section(_page("docs/configuration.md"), "## Ambient variables")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", section, re.MULTILINE)
    shown = {(name, p) for name, cell in rows for p in re.findall(r"`(\w+)`", cell)}
    assert shown == {(n, p.value) for p, names in ambient._OVERRIDES.items() for n in names}


def test_defaults_of_providers_are_the_catalogs() -> None:
    """The table of providers shows what is in force when nothing is set."""
    row = re.compile(r"^\| `(LLM_\w+)` \| ([^|]+) \|", re.MULTILINE)
    rows = dict(row.findall(_page("docs/configuration.md")))
    for spec in CATALOG.values():
        base_url = spec.default_base_url if spec.base_url_support != "none" else None
        orchestrator = spec.default_orchestrator_model
        assert rows[spec.variable("model")] == f"`{spec.default_model}`"
        assert rows[spec.variable("base_url")] == (f"`{base_url}`" if base_url else "none")
        assert rows[spec.variable("orchestrator_model")] == (
            f"`{orchestrator}`" if orchestrator else "the model"
        )


def test_readme_lists_the_providers_as_the_catalog_has_them() -> None:
    """Name, variables, key, base URL and models of each row."""
    table = _section(_page("README.md"), "## Providers")
    for spec in CATALOG.values():
        models = " / ".join(
            f"`{m}`" for m in (spec.default_model, spec.default_orchestrator_model) if m
        )
        base_url = "takes none" if spec.base_url_support == "none" else f"`{spec.default_base_url}`"
        place = "may be local" if spec.may_be_local else "hosted"
        row = f"| `{spec.provider}` | `{spec.variables}…` | {spec.key} | {base_url} | {models} |"
        assert f"{row} {place} |" in table


def test_every_route_is_documented_and_no_other(tmp_path: Path) -> None:
    """Method and path of each call, both ways."""
    assert set(CALL.findall(_page("docs/api.md"))) == _routes(tmp_path)


def test_every_error_code_is_documented_and_no_other() -> None:
    """Problem codes and test codes together are the codes of the error tree."""
    problems = _section(_page("docs/api.md"), "## Problem codes").partition("\n### ")[0]
    tests = _section(_page("docs/api.md"), "### Test codes")
    assert _first_column(problems) | _first_column(tests) - {"ok"} == _codes()


def test_every_problem_of_a_provider_is_documented_and_no_other() -> None:
    """The codes that composing finds, and the one of an absent backend."""
    codes = {code for text in _sources() for code in PROBLEM.findall(text)}
    page = _page("docs/api.md")
    shown = _first_column(_section(page, "### A provider's problems"))
    shown |= _first_column(_section(page, "### A provider's warnings"))
    assert shown - {"backend_unavailable"} == codes


def test_every_audit_action_is_documented_and_no_other() -> None:
    """A reader of the log can look up what an entry means."""
    rows = _section(_page("docs/api.md"), "### `GET /api/v1/audit`")
    cells = re.findall(r"^\| (`[a-z]+\..+?) \|", rows, re.MULTILINE)
    assert {action for cell in cells for action in re.findall(r"`([^`]+)`", cell)} == set(Action)


def test_every_table_is_named_for_the_host() -> None:
    """A host platform knows which tables are not its own."""
    section = _section(_page("docs/embedding.md"), "## The database")
    assert set(re.findall(r"`((?:llm|user)_[a-z_]+)`", section)) == set(Base.metadata.tables)


def test_every_command_is_documented_and_no_other() -> None:
    """The table of commands is what the command line offers."""
    shown = {command.strip() for command in COMMAND.findall(_page("docs/cli.md"))}
    assert shown == set(_commands(typer.main.get_command(cli)))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_resolves(page: Path) -> None:
    """File and heading are there."""
    for link in LINK.findall(page.read_text("utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_page_is_unfinished(page: Path) -> None:
    """A placeholder promises what isn't there."""
    assert not re.search(r"\b(TODO|TBD|XXX|FIXME)\b|@[A-Z]+@", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_python_examples_parse_and_import_what_exists(page: Path) -> None:
    """Each block is Python, and what it imports from this package is there."""
    for block in PYTHON.findall(page.read_text("utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aurorasoc"):
                module = import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("record", RECORDS, ids=_name)
def test_record_is_one_page_in_the_common_form(record: Path) -> None:
    """Status, context, decision, consequences, in at most 60 lines."""
    text = record.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Status",
        "Context",
        "Decision",
        "Consequences",
    ]
    assert text.startswith(f"# {record.name[:3]}: ")
    assert len(text.splitlines()) <= 60


def test_index_of_decisions_lists_each_record() -> None:
    """With its number, its file and its title."""
    index = _page("docs/decisions/README.md")
    for record in RECORDS:
        number, _, title = record.read_text("utf-8").splitlines()[0][2:].partition(": ")
        assert f"| [{number}]({record.name}) | {title} |" in index


def test_records_are_numbered_without_a_gap() -> None:
    """From the first of this service on; 005 comes from the platform. A gap looks like a loss."""
    numbers = [int(record.name[:3]) for record in RECORDS if not record.name.startswith("005")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_every_record_that_the_code_names_exists() -> None:
    """A reader who follows a comment finds the reasons."""
    named = {number for text in _sources() for number in RECORD.findall(text)}
    assert named <= {record.name[:3] for record in RECORDS}


def test_every_page_that_the_code_names_exists() -> None:
    """A message that sends a reader to a page sends them somewhere."""
    named = {path for text in _sources() for path in NAMED_PAGE.findall(text)}
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_section_that_the_code_names_exists() -> None:
    """By its number: sections move."""
    headings = re.findall(r"^#+ (\d+(?:\.\d+)?)", _page("docs/architecture.md"), re.MULTILINE)
    named = {number for text in _sources() for number in SECTION.findall(text)}
    assert named
    assert named <= set(headings)
