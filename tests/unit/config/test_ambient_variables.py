"""Every variable that the installed model libraries consult is judged."""

import ssl
import urllib.request
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from opentelemetry import environment_variables
from opentelemetry.sdk import environment_variables as sdk_environment_variables

from aurorasoc.config.settings import ambient, library_environment
from aurorasoc.granite.catalog import CATALOG
from tests.world.variables_read import Read, names_in, reads_of

TABLE: Final = Path(__file__).parents[2] / "data" / "ambient_variables.txt"
ELSEWHERE: Final = ("litellm/integrations/", "litellm/proxy/", "litellm/router")
"""Its proxy server, router and exporters, which take no part in our calls."""

PACKAGES: Final = (
    "litellm",
    "openai",
    "httpx",
    "httpcore",
    "aiohttp",
    "anyio",
    "certifi",
    "dotenv",
    "tiktoken",
    "beeai_framework/backend",
    "beeai_framework/utils",
    "beeai_framework/adapters/litellm",
    *sorted({f"beeai_framework/adapters/{spec.prefix}" for spec in CATALOG.values()}),
)
PYTHONS: Final = (ssl, urllib.request)
"""Modules of Python's own that act on variables in our calls."""


@cache
def all_reads() -> frozenset[Read]:
    """Return every read of all of them."""
    reads = set[Read]()
    for package in PACKAGES:
        reads |= reads_of(package, without=ELSEWHERE)
    for module in PYTHONS:
        source = Path(str(module.__file__)).read_text("utf-8")
        reads |= {Read(module.__name__, name) for name in names_in(source)}
    return frozenset(reads)


def _judged() -> dict[str, set[str]]:
    """Return the table: the names and patterns of each verdict."""
    judged: dict[str, set[str]] = {}
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = judged.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            section.add(line)
    return judged


def test_every_variable_is_judged() -> None:
    """A library's new version that reads another one has to be looked at."""
    judged = _judged()
    known = judged["honoured"] | judged["given"] | judged["override"] | judged["private"]
    names = {read.name for read in all_reads() if read.name}
    assert {n for n in names if not any(fnmatchcase(n, pattern) for pattern in known)} == set()


def test_every_place_that_computes_a_name_is_judged() -> None:
    """What it computes can't be read from its text."""
    assert {read.file for read in all_reads() if not read.name} == _judged()["computed"]


def test_no_verdict_is_left_over() -> None:
    """What no library reads any more leaves the table."""
    names = {read.name for read in all_reads()}
    patterns = _judged()["private"]
    assert {p for p in patterns if not any(fnmatchcase(n, p) for n in names)} == set()


def test_every_variable_of_opentelemetry_is_judged() -> None:
    """Its SDK names them in one module each, and reads them by that name."""
    names = {
        value
        for module in (environment_variables, sdk_environment_variables)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("OTEL_")
    }
    patterns = _judged()["telemetry"] | _judged()["telemetry without effect"]
    assert {n for n in names if not any(fnmatchcase(n, pattern) for pattern in patterns)} == set()
    assert {p for p in patterns if not any(fnmatchcase(n, p) for n in names)} == set()


def test_verdicts_are_what_the_service_does() -> None:
    """The table says so, and the code does it."""
    judged = _judged()
    assert judged["honoured"] == library_environment.HONOURED
    assert judged["override"] == {n for names in ambient._OVERRIDES.values() for n in names}
    assert judged["given"] <= library_environment._own.keys()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('os.environ["A"]', "A"),
        ('os.getenv("A", "x")', "A"),
        ('environ.get("A")', "A"),
        ('"A" in os.environ', "A"),
        ('os.environ.pop("A", None)', "A"),
        ('os.environ.setdefault("A", "x")', "A"),
        ('get_secret_str(secret_name="A")', "A"),
        ('litellm.get_secret("A")', "A"),
        ('NAME: Final = "A"\nos.getenv(NAME)', "A"),
        ('self._assert_setting_value("x", envs=["A"])', "A"),
        ("os.getenv(f'{x}_KEY')", ""),
    ],
)
def test_search_sees_each_way_of_reading(source: str, name: str) -> None:
    """Also those that go by a reader of the library's own."""
    assert names_in(source) == {name}


@pytest.mark.parametrize(
    "name", ["SSL_VERIFY", "SSLKEYLOGFILE", "AIOHTTP_TRUST_ENV", "OPENAI_ORG_ID", "NETRC"]
)
def test_search_finds_known_ones(name: str) -> None:
    """In LiteLLM, Python, openai and aiohttp."""
    assert name in {read.name for read in all_reads()}
