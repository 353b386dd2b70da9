"""A host's logging is its own: our routers, and the libraries they bring, leave it as it is."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Final

import pytest
import uvicorn
from fastapi import FastAPI, Header

from aurorasoc.api.app import include_routers
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.logs import ROOT, guard_libraries, loggers_kept
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.runtime import Runtime
from tests.world import patient
from tests.world.loopback import LOOPBACK
from tests.world.processes import free_port
from tests.world.service import asked

HOSTS_LEVELS: Final = {
    "aiosqlite": logging.ERROR,
    "asyncio": logging.DEBUG,
    "httpx": logging.INFO,
    "LiteLLM": logging.CRITICAL,
    "host.things": logging.DEBUG,
}
SECRET: Final = "sk-host-log-0123456789abcdef"

State = dict[str, tuple[int, bool, list[logging.Handler]]]


class _Lines(logging.Handler):
    """The host's own handler, with uvicorn's formatter for accesses."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(self.format(record))


def _state() -> State:
    """Return what each logger but ours does with records."""
    known: list[tuple[str, object]] = list(logging.root.manager.loggerDict.items())
    return {
        name: (logger.level, logger.propagate, list(logger.handlers))
        for name, logger in [*known, ("root", logging.root)]
        if isinstance(logger, logging.Logger) and name.split(".")[0] != ROOT
    }


@pytest.fixture
def host_log() -> Iterator[_Lines]:
    """Set up logging as a host does; put everything back afterwards."""
    before, lines = _state(), _Lines()
    logging.root.addHandler(lines)
    for name, level in HOSTS_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    yield lines
    for name, (level, propagate, handlers) in before.items():
        logger = logging.getLogger(None if name == "root" else name)
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers
    for name in HOSTS_LEVELS.keys() - before.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)


async def _user(x_role: Annotated[str, Header()] = "admin") -> Principal:
    return Principal.of("someone", roles=[x_role])


@asynccontextmanager
async def _served(config: uvicorn.Config) -> AsyncIterator[str]:
    """Serve an app with uvicorn as a host does."""
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # pytest's stay pytest's
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    yield f"http://{LOOPBACK}:{config.port}/api/v1"
    server.should_exit = True
    await serving


async def test_a_hosts_handlers_and_levels_stay_as_they_are(
    runtime: Runtime, host_log: _Lines
) -> None:
    """From before the start until after a model call; its access log has its lines."""
    app = FastAPI()
    include_routers(app, principal=_user, settings=runtime.settings)
    config = uvicorn.Config(app, host=LOOPBACK, port=free_port(), ws="none")  # sets up its logging
    logging.getLogger("uvicorn.access").addHandler(host_log)
    before = _state()
    async with _served(config) as url, patient.async_client() as http:
        assert (await http.post(f"{url}/chat", json=asked())).status_code == 200
        after = _state()
    assert {name: after[name] for name in before} == before
    assert [
        name for name, (_, _, handlers) in after.items() if handlers and name not in before
    ] == []
    assert any("POST /api/v1/chat" in line for line in host_log.lines)


LOADS: Final = """
import asyncio, logging
from aurorasoc.llm.wire.libraries import adapter
asyncio.run(adapter.load())
names = ("uvicorn", "uvicorn.access", "uvicorn.error")
print([one for name in names for one in logging.getLogger(name).filters])
"""


def test_no_library_filters_the_servers_lines() -> None:
    """LiteLLM puts filters on uvicorn's loggers when it is imported; in a process of its own."""
    loaded = subprocess.run(
        [sys.executable, "-c", LOADS], capture_output=True, text=True, check=True, timeout=120
    )
    assert loaded.stdout.strip() == "[]"


def test_what_an_import_does_to_loggers_is_undone() -> None:
    """LiteLLM attaches a handler and sets levels when it is imported."""
    logger, handler = logging.getLogger("LiteLLM"), logging.NullHandler()
    every = logging.Filter()
    before = _state()
    with loggers_kept():
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addFilter(every)
    assert _state() == before
    assert every not in logger.filters


def test_content_is_not_logged_because_the_root_is_at_debug(
    host_log: _Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts and parameters of SQL appear only where a host asks for this very logger's."""
    monkeypatch.setattr(logging.root, "level", logging.DEBUG)
    library = logging.getLogger("httpcore.test_content")
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.NOTSET)
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # levels were set behind it
    guard_libraries()
    library.debug("content")
    library.info("no content")
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.DEBUG)
    library.debug("requested")
    assert [line.split(" ", 2)[2] for line in host_log.lines] == ["no content", "requested"]
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # as above


def test_parameters_of_sql_are_never_logged(
    host_log: _Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the host asks for: a key may be among them that nobody stored."""
    library = logging.getLogger("aiosqlite")
    monkeypatch.setattr(library, "level", logging.DEBUG)
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # levels were set behind it
    guard_libraries()
    library.debug("parameters")
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # as above
    assert host_log.lines == []


def test_a_librarys_line_keeps_its_arguments_unless_it_holds_a_secret(host_log: _Lines) -> None:
    """A host's formatter may need them."""
    REDACTOR.learn([SECRET])
    logger = logging.getLogger("httpx.test_arguments")
    guard_libraries()
    records: list[logging.LogRecord] = []
    monitor = logging.Handler()
    monitor.emit = records.append  # type: ignore[method-assign, assignment]
    logger.addHandler(monitor)
    logger.warning("%s", "plain")
    logger.warning("%s", SECRET)
    logger.removeHandler(monitor)
    assert records[0].args == ("plain",)
    assert SECRET not in records[1].getMessage()
    assert SECRET not in "".join(host_log.lines)
