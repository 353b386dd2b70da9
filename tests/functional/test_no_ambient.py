"""Nothing is taken from the environment, nor from a `.env`, but what is ours to read."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import pytest

from tests.world.capture import CaptureServer
from tests.world.connect_proxy import ConnectProxy
from tests.world.fixtures import VENDOR_KEYS
from tests.world.processes import bare_env, until
from tests.world.service import CONFIG, PROVIDERS, Service, asked, events
from tests.world.vendor import VendorServer

CANARY: Final = "ambient-canary-0123456789"
ADDRESSES: Final = (
    "ANTHROPIC_API_BASE",
    "ANTHROPIC_BASE_URL",
    "DEEPSEEK_API_BASE",
    "DEEPSEEK_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "HOSTED_VLLM_API_BASE",
    "LITELLM_PROXY_API_BASE",
    "OLLAMA_API_BASE",
    "OPENAI_API_BASE",
    "OPENAI_BASE_URL",
    "OPENAI_LIKE_API_BASE",
)
WORDS: Final = (
    "AIOHTTP_TRUST_ENV",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CHAT_MODEL",
    "CUSTOM_TIKTOKEN_CACHE_DIR",
    "DEEPSEEK_API_KEY",
    "DEEPSEEK_CHAT_MODEL",
    "DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS",  # LiteLLM's import would fail, did it read this
    "GEMINI_API_KEY",
    "GEMINI_CHAT_MODEL",
    "GOOGLE_API_KEY",
    "HOSTED_VLLM_API_KEY",
    "LITELLM_API_KEY",
    "LITELLM_USER_AGENT",
    "OLLAMA_API_KEY",
    "OLLAMA_CHAT_MODEL",
    "OPENAI_ADMIN_KEY",
    "OPENAI_API_KEY",
    "OPENAI_CHAT_MODEL",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
)
# What the libraries would add even to fully explicit calls, and whose calls it would alter.
OVERRIDES: Final[dict[str, set[str]]] = {
    "ANTHROPIC_API_HEADERS": {"anthropic"},
    "ANTHROPIC_AUTH_TOKEN": {"anthropic"},
    "DEEPSEEK_API_HEADERS": {"deepseek"},
    "GEMINI_API_BASE": {"gemini"},
    "GEMINI_API_HEADERS": {"gemini"},
    "OLLAMA_API_HEADERS": {"ollama"},
    "OPENAI_API_HEADERS": {"openai", "vllm"},
    "OPENAI_ORGANIZATION": {"openai", "vllm", "ollama"},
}
KEY_VARIABLES: Final = {
    "anthropic": "LLM_ANTHROPIC_API_KEY",
    "deepseek": "LLM_DEEPSEEK_API_KEY",
    "gemini": "LLM_GEMINI_API_KEY",
    "openai": "LLM_OPENAI_COMPATIBLE_API_KEY",
}
ALL: Final = ("ollama", "vllm", *VENDOR_KEYS)
every_hosted = pytest.mark.parametrize("provider", VENDOR_KEYS)


@pytest.fixture(scope="module")
def stale() -> Iterator[CaptureServer]:
    """Stand where every ambient address leads."""
    with CaptureServer() as server:
        yield server


def ambient(stale: CaptureServer) -> dict[str, str]:
    """Set every ambient variable: addresses to the capture, all others to the canary."""
    return dict.fromkeys(ADDRESSES, stale.url) | dict.fromkeys(WORDS, CANARY)


def dotenv_lines(stale: CaptureServer) -> str:
    """Say the same in a `.env`, with the overrides and variables of our own beside it."""
    said = dict.fromkeys(OVERRIDES, f"X-Canary={CANARY}") | {"GEMINI_API_BASE": stale.url}
    variables = dict.fromkeys(KEY_VARIABLES.values(), CANARY) | {"LLM_BACKEND": "gemini"}
    entries = said | variables | {"DOTENV_WAS_LOADED": "yes"}
    return "".join(f"{name}={value}\n" for name, value in entries.items())


@pytest.fixture(scope="module")
def haunted_folder(stale: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a working folder with a `.env`, and one above a way into site-packages.

    python-dotenv walks up from the file that calls it. The libraries are reached by way of a
    link, so that they find a `.env` above it, where a virtual environment's own would be.
    """
    folder = tmp_path_factory.mktemp("haunted")
    libraries = Path(str(distribution("litellm").locate_file("")))
    (folder / "venv" / "lib").mkdir(parents=True)
    (folder / "venv" / "lib" / "site-packages").symlink_to(libraries)
    for place in (folder, folder / "venv"):
        (place / ".env").write_text(dotenv_lines(stale))
    return folder


def linked(folder: Path) -> dict[str, str]:
    """Lead Python to the libraries by way of the link."""
    return {"PYTHONPATH": str(folder / "venv" / "lib" / "site-packages")}


@pytest.fixture(scope="module")
def haunted_service(
    haunted_folder: Path, stale: CaptureServer, world_variables: dict[str, str]
) -> Iterator[Service]:
    """Run a service without keys in an environment full of stale ones."""
    variables = world_variables | ambient(stale) | linked(haunted_folder)
    variables["LLM_BACKEND"] = "deepseek"
    with Service(haunted_folder, variables, popen=subprocess.Popen) as service:
        yield service


@pytest.fixture
def haunted(haunted_service: Service) -> Service:
    """Return the service at its boot defaults, without stored keys."""
    haunted_service.reset()
    return haunted_service


@pytest.fixture(autouse=True)
def _nothing_recorded(hosted: VendorServer, local_servers: VendorServer) -> None:
    hosted.clear()
    local_servers.clear()


def test_the_dotenv_files_would_be_found(haunted_folder: Path, tmp_path: Path) -> None:
    """Control: the same libraries, imported plainly, do load the `.env` that is laid out."""
    script = tmp_path / "plain.py"
    script.write_text(
        "import os, litellm; print(litellm.__file__, os.environ.get('DOTENV_WAS_LOADED'))"
    )
    env = bare_env(**linked(haunted_folder), LITELLM_LOCAL_MODEL_COST_MAP="True")
    child = subprocess.run(
        [sys.executable, script],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    where, loaded = child.stdout.split()
    assert where.startswith(str(haunted_folder))
    assert loaded == "yes"


def test_no_provider_has_an_ambient_key(haunted: Service) -> None:
    """With every `*_API_KEY` of the libraries set, no provider has a key."""
    rows = haunted.inventory()["providers"]
    assert [row["provider"] for row in rows if row["key_present"]] == []


def test_no_dotenv_is_read_as_our_own_settings(haunted: Service) -> None:
    """A `.env` in the working folder sets neither backend nor key."""
    active = haunted.inventory()["active"]
    assert (active["backend"], active["source"]) == ("deepseek", "env")


def test_chat_without_a_key_names_the_variable(haunted: Service, stale: CaptureServer) -> None:
    """A missing key is an error that names its variable; nothing is sent anywhere."""
    haunted.client().delete(CONFIG)
    answer = haunted.client().post("/chat", json=asked())
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
    assert "LLM_DEEPSEEK_API_KEY" in answer.json()["detail"]
    assert stale.connections == 0


@every_hosted
def test_provider_test_without_a_key_names_the_variable(
    haunted: Service, hosted: VendorServer, stale: CaptureServer, provider: str
) -> None:
    """A test of a provider without a key sends nothing, and names the variable."""
    haunted.client().delete(f"{PROVIDERS}/{provider}/key")
    answer = haunted.client().post(f"{PROVIDERS}/{provider}/test")
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
    assert KEY_VARIABLES[provider] in answer.json()["detail"]
    assert hosted.requests == []
    assert stale.connections == 0


@every_hosted
def test_stored_key_goes_to_the_vendor_and_no_ambient_address(
    haunted: Service, hosted: VendorServer, stale: CaptureServer, provider: str
) -> None:
    """A stored key is sent to its vendor, whatever the environment says, streamed or not."""
    key = VENDOR_KEYS[provider]
    body = {"provider": provider, "api_key": key}
    assert haunted.client().put(CONFIG, json=body).status_code == 200
    assert haunted.client().post("/chat", json=asked()).status_code == 200
    answer = haunted.client().post("/chat", json=asked(stream=True))
    assert events(answer.text)[-1][0] == "done"
    assert len(hosted.requests) == 2
    assert all(key in " ".join(request.headers.values()) for request in hosted.requests)
    assert stale.connections == 0


@pytest.mark.parametrize("provider", ALL)
def test_nothing_ambient_is_in_any_request(
    haunted: Service, hosted: VendorServer, local_servers: VendorServer, provider: str
) -> None:
    """No header, path or body of a call holds a word of the environment."""
    body = {"provider": provider}
    if provider in VENDOR_KEYS:
        body["api_key"] = VENDOR_KEYS[provider]
    haunted.client().put(CONFIG, json=body)
    assert haunted.client().post("/chat", json=asked()).status_code == 200
    (request,) = hosted.requests + local_servers.requests
    assert CANARY not in repr(request)
    assert CANARY.encode() not in request.raw


@every_hosted
def test_deleted_key_is_not_replaced_by_an_ambient_one(
    haunted: Service, hosted: VendorServer, stale: CaptureServer, provider: str
) -> None:
    """After the active provider's key is deleted, no chat leaves, by whatever key."""
    admin = haunted.client()
    admin.put(CONFIG, json={"provider": provider, "api_key": VENDOR_KEYS[provider]})
    assert admin.post("/chat", json=asked()).status_code == 200
    hosted.clear()
    admin.delete(f"{PROVIDERS}/{provider}/key")
    for stream in (False, True):
        answer = admin.post("/chat", json=asked(stream=stream))
        assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
        assert KEY_VARIABLES[provider] in answer.json()["detail"]
    assert hosted.requests == []
    assert stale.connections == 0


@pytest.mark.parametrize("provider", ["ollama", "vllm"])
def test_keyless_backend_gets_the_literal_not_needed(
    haunted: Service, local_servers: VendorServer, stale: CaptureServer, provider: str
) -> None:
    """A backend without a key is never sent somebody's ambient one."""
    haunted.client().put(CONFIG, json={"provider": provider})
    assert haunted.client().post("/chat", json=asked()).status_code == 200
    (request,) = local_servers.requests
    assert request.headers["authorization"] == "Bearer not-needed"
    assert stale.connections == 0


@pytest.fixture(scope="module")
def overridden(tmp_path_factory: pytest.TempPathFactory, stale: CaptureServer) -> Service:
    """Describe a migrated service, not running, with every override in its environment."""
    values = dict.fromkeys(OVERRIDES, f"X-Canary={CANARY}") | {"GEMINI_API_BASE": stale.url}
    keys = {variable: VENDOR_KEYS[provider] for provider, variable in KEY_VARIABLES.items()}
    service = Service(tmp_path_factory.mktemp("overridden"), values | keys, popen=subprocess.Popen)
    assert service.command("migrate").returncode == 0
    return service


@pytest.fixture(scope="module")
def problems(overridden: Service) -> dict[str, Mapping[str, Any]]:
    """Return each provider's `ambient_override` problem."""
    listed = json.loads(overridden.command("providers", "list", "--json").stdout)
    return {
        row["provider"]: problem
        for row in listed["providers"]
        for problem in row["problems"]
        if problem["code"] == "ambient_override" and not row["ready"]
    }


@pytest.mark.parametrize("variable", OVERRIDES)
def test_override_makes_its_providers_not_ready(
    problems: Mapping[str, Mapping[str, Any]], variable: str
) -> None:
    """A variable that alters explicit calls is a problem of just those providers, by name."""
    named = {provider for provider, problem in problems.items() if variable in problem["detail"]}
    assert named == OVERRIDES[variable]


def test_override_is_named_without_its_value(problems: Mapping[str, Mapping[str, Any]]) -> None:
    """What the variable holds may be a credential, and is not shown."""
    assert CANARY not in json.dumps(problems)


@pytest.mark.parametrize("provider", ["gemini", "vllm"])
def test_overridden_provider_is_refused(
    overridden: Service, stale: CaptureServer, provider: str
) -> None:
    """A switch answers what to unset, and sends nothing."""
    done = overridden.command("providers", "use", provider)
    assert done.returncode == 2
    assert any(name in done.stderr for name, named in OVERRIDES.items() if provider in named)
    assert stale.connections == 0


def test_an_idle_service_calls_nobody(tmp_path: Path, world_variables: dict[str, str]) -> None:
    """Neither to be ready nor to be warm, with every key at hand."""
    keys = {variable: VENDOR_KEYS[provider] for provider, variable in KEY_VARIABLES.items()}
    with ConnectProxy(None) as home:
        proxies = {"HTTPS_PROXY": home.url, "HTTP_PROXY": home.url, "LLM_BACKEND": "openai"}
        variables = {**world_variables, **keys, **proxies}
        with Service(tmp_path, variables, popen=subprocess.Popen) as service:
            until(lambda: '"warm"' in service.output, 120)
            service.inventory()
        assert (home.connects, home.refused) == ([], [])
