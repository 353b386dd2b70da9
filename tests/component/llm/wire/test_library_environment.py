"""Library code sees of the environment what is honoured, and nothing else."""

import os
import threading
from ast import literal_eval
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy
from typing import Final
from urllib.request import getproxies

import pytest

from aurorasoc.config.settings.library_environment import HONOURED
from aurorasoc.llm.wire.libraries.socket_guard import confined
from aurorasoc.llm.wire.sending.transports import verifying_context
from tests.component.live import PROVIDERS, World, handle_on
from tests.examples import settings
from tests.world.certificates import CertificateAuthority

CANARY: Final = "ambient-canary-0123456789"
ALTERING: Final = (
    "AIOHTTP_TRUST_ENV",
    "CUSTOM_TIKTOKEN_CACHE_DIR",
    "DEFAULT_ANTHROPIC_CHAT_MAX_TOKENS",
    "DEFAULT_REASONING_EFFORT_HIGH_THINKING_BUDGET",
    "LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD",
    "LITELLM_ROUTE_ALL_CHAT_OPENAI_TO_RESPONSES",
    "LITELLM_USER_AGENT",
    "OPENAI_PROJECT",
    "SSL_VERIFY",
    "USE_LITELLM_PROXY",
)
"""Some that altered calls when LiteLLM read them."""


def _by_membership(name: str) -> str | None:
    if name not in os.environ:
        return None
    return os.environ[name]


def _by_copy(name: str) -> str | None:
    return os.environ.copy().get(name)


def _by_items(name: str) -> str | None:
    return dict(os.environ.items()).get(name)


def _by_text(name: str) -> str | None:
    shown: dict[str, str] = literal_eval(
        repr(os.environ).removeprefix("environ(").removesuffix(")")
    )
    return shown.get(name)


def _in_thread(name: str) -> str | None:
    seen = list[str | None]()
    thread = threading.Thread(target=lambda: seen.append(os.getenv(name)))
    thread.start()
    thread.join()
    return seen[0]


READERS: Final[dict[str, Callable[[str], str | None]]] = {
    "getenv": os.getenv,
    "get": os.environ.get,
    "in": _by_membership,
    "copy": _by_copy,
    "items": _by_items,
    "repr": _by_text,
    "thread": _in_thread,
    "pool": lambda name: ThreadPoolExecutor(1).submit(os.getenv, name).result(),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_not_honoured_is_not_there(
    read: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is read, in threads too; outside it is there as ever."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with confined():
        assert read("OPENAI_API_KEY") is None
    assert read("OPENAI_API_KEY") == CANARY


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("name", sorted(HONOURED))
def test_what_is_honoured_is_there(
    read: Callable[[str], str | None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's proxy and its certificates."""
    monkeypatch.setenv(name, "honoured")
    with confined():
        assert read(name) == "honoured"


def test_what_is_said_for_them_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No price map is fetched and no `.env` loaded, whatever the process's environment says."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "False")
    with confined():
        assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
        assert os.environ["PYTHON_DOTENV_DISABLED"] == "1"
        assert len(os.environ) == len(list(os.environ))
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "False"
    assert "PYTHON_DOTENV_DISABLED" not in os.environ


def test_what_they_write_stays_with_them() -> None:
    """They may set and delete; the process's own environment never changes."""
    with confined():
        os.environ["WRITTEN_BY_A_LIBRARY"] = "x"
        assert os.environ.pop("WRITTEN_BY_A_LIBRARY") == "x"
        os.environ["WRITTEN_BY_A_LIBRARY"] = "y"
        with pytest.raises(KeyError):
            del os.environ["PATH"]
    assert "WRITTEN_BY_A_LIBRARY" not in os.environ
    assert os.environ["PATH"]
    with confined():
        del os.environ["WRITTEN_BY_A_LIBRARY"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("cgi", [False, True])
def test_proxies_are_read_alike_inside_and_outside(
    name: str, monkeypatch: pytest.MonkeyPatch, *, cgi: bool
) -> None:
    """What is judged outside is what httpx does inside."""
    monkeypatch.setenv(name, "http://proxy:3128")
    if cgi:
        monkeypatch.setenv("REQUEST_METHOD", "GET")
    outside = getproxies()
    with confined():
        assert getproxies() == outside


def test_session_keys_are_not_written(
    tmp_path: Path, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSLKEYLOGFILE` is Python's own, and would lay calls open to whoever reads the file."""
    bundle = copy(ca.pem, tmp_path / "never-read-before.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert verifying_context().keylog_filename is None
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_variable_alters_a_call(
    world: World, provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that leave are the same with and without, and so is where they go."""
    from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - now imported

    boot = settings(tmp_path, **world.variables())
    for name in (None, *ALTERING):
        if name is not None:
            monkeypatch.setenv(name, "1")
        await handle_on(boot, provider).run([UserMessage("ping")])
    sent = [(r.path, r.headers, r.body) for r in world.server(provider).requests]
    assert len(sent) == 1 + len(ALTERING)
    assert sent == [sent[0]] * len(sent)
