"""The page's files and headers, without a browser."""

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

import aurorasoc.web
from aurorasoc.agents.registry import AGENTS
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES
from aurorasoc.web import SETTINGS_PAGE
from aurorasoc.web.assets import _version, load_assets
from aurorasoc.web.settings_page import include_settings_page

WEB: Final = Path(aurorasoc.web.__file__).parent
STATIC: Final = WEB / "static"
SCRIPTS: Final = sorted(STATIC.glob("*.js"))
LINK: Final = "sign_in_link.js"
LIBRARY: Final = "htm-preact-standalone.js"
OURS: Final = [file for file in sorted(STATIC.iterdir()) if file.name != LIBRARY]
OF_LIBRARY: Final = "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7"
IMPORT: Final = re.compile(r'import \{([^}]+)\} from "\./([^"]+)"')
EXPORT: Final = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)


def name_of(file: Path) -> str:
    """Name a test by its file."""
    return file.name


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an app that serves nothing but the page."""
    app = FastAPI()
    include_settings_page(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        yield client


async def test_the_document_is_held_to_a_strict_policy(client: httpx.AsyncClient) -> None:
    """Nothing from elsewhere, nothing inline, no frame around it."""
    policy = (await client.get(SETTINGS_PAGE)).headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert not any(word in rule for rule in policy for word in ("unsafe", "http", "data:", "*"))
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} <= set(policy)


async def test_the_document_is_never_kept(client: httpx.AsyncClient) -> None:
    """A newer version is seen at once."""
    headers = (await client.get(SETTINGS_PAGE)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_every_file_that_the_document_names_is_served_for_good(
    client: httpx.AsyncClient,
) -> None:
    """Under a path that changes with any of them."""
    document = (await client.get(SETTINGS_PAGE)).text
    named = re.findall(r'(?:href|src)="(llm/assets/[^"]+)"', document)
    assert len(named) == 11
    for address in named:
        answer = await client.get(f"/settings/{address}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_known_services_and_agents_are_served_beside_the_page(
    client: httpx.AsyncClient,
) -> None:
    """The page asks nobody else for them."""
    answer = await client.get(f"{SETTINGS_PAGE}/assets/{load_assets().version}/known.json")
    known = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert [row["label"] for row in known["services"]] == [row.label for row in KNOWN_ADDRESSES]
    assert {agent["name"]: agent["role"] for agent in known["agents"]} == {
        name: agent.role for name, agent in AGENTS.items()
    }


async def test_a_links_token_leaves_the_address_before_any_other_script_runs(
    client: httpx.AsyncClient,
) -> None:
    """Its script is the document's first, and waits for no other."""
    document = (await client.get(SETTINGS_PAGE)).text
    first, *_ = re.findall(r'<script type="module" src="[^"]+/(\w+\.js)"', document)
    assert first == LINK
    assert "import" not in (STATIC / LINK).read_text("utf-8").replace("imports nothing", "")


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "..%2fassets.py"])
async def test_what_is_no_file_of_the_page_is_not_found(
    client: httpx.AsyncClient, name: str
) -> None:
    """The document itself has one address only."""
    answer = await client.get(f"{SETTINGS_PAGE}/assets/{load_assets().version}/{name}")
    assert answer.status_code == 404


async def test_a_file_of_another_version_is_not_found(client: httpx.AsyncClient) -> None:
    """Files of two versions are never mixed."""
    assert (await client.get(f"{SETTINGS_PAGE}/assets/0123456789abcdef/app.js")).status_code == 404


def test_the_version_changes_with_any_byte_and_name() -> None:
    """And with nothing else."""
    versions = {_version(files) for files in ({"a": b"1"}, {"a": b"2"}, {"b": b"1"})}
    assert len(versions) == 3
    assert _version({"a": b"1"}) in versions


@pytest.mark.parametrize(
    "address", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere", "token", ""]
)
def test_a_token_is_fetched_from_the_own_origin_only(address: str) -> None:
    """A path that browsers could read otherwise is refused when the app is made."""
    with pytest.raises(ValueError, match="own origin"):
        include_settings_page(FastAPI(), token_url=address)


async def test_an_address_for_tokens_is_escaped() -> None:
    """Whatever the host's path holds."""
    app = FastAPI()
    include_settings_page(app, token_url='/session?a="><b')
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://page"
    ) as client:
        assert '"><b' not in (await client.get(SETTINGS_PAGE)).text


@pytest.mark.parametrize("file", OURS, ids=name_of)
def test_no_file_names_another_origin(file: Path) -> None:
    """But for the namespace of SVG, which is no address that is asked."""
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_every_import_is_there(script: Path) -> None:
    """A module or a name that is missing would leave an empty page."""
    for names, module in IMPORT.findall(script.read_text("utf-8")):
        imported = {name.strip() for name in names.split(",")} - {""}
        assert module == LIBRARY or imported <= set(
            EXPORT.findall((STATIC / module).read_text("utf-8"))
        )


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_every_import_is_used(script: Path) -> None:
    """What isn't used is taken for needed by whoever reads it."""
    text = script.read_text("utf-8")
    names = [name.strip() for imported, _ in IMPORT.findall(text) for name in imported.split(",")]
    assert [name for name in names if len(re.findall(rf"\b{name}\b", text)) < 2] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_no_script_makes_code_or_markup_of_text(script: Path) -> None:
    """Nor keeps anything beyond its memory."""
    text = script.read_text("utf-8")
    assert not re.search(r"\beval\(|new Function|document\.write|insertAdjacentHTML", text)
    assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text)
    assert script.name == LIBRARY or "innerHTML" not in text.replace("dangerously", "")


def test_the_library_is_the_published_file() -> None:
    """Unchanged, with its licences beside it."""
    assert hashlib.sha256((STATIC / LIBRARY).read_bytes()).hexdigest() == OF_LIBRARY
    assert {file.name for file in (WEB / "licenses").iterdir()} >= {"htm.txt", "preact.txt"}


@pytest.mark.parametrize("file", OURS, ids=name_of)
def test_a_file_is_read_in_one_sitting(file: Path) -> None:
    """Scripts even sooner than styles."""
    lines = file.read_text("utf-8").splitlines()
    assert len(lines) < (200 if file.suffix == ".js" else 300)
    assert max(map(len, lines)) <= 120
