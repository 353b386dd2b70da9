"""The processes behind `make demo`: three on loopback, with one folder and one admin.

The hosted provider is llm-katan, a third party's simulator of the vendors' APIs (Apache-2.0, a
development dependency). It echoes the prompt, and checks its key.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aurorasoc import local_model
from aurorasoc.cli.dev.supervisor import LOG_LINES, Child, Children, free_port
from aurorasoc.cli.output import say
from aurorasoc.config.settings.child_environment import bare_environment
from aurorasoc.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

LOOPBACK: Final = "127.0.0.1"
API: Final = "/api/v1"
SIMULATED_MODEL: Final = "katan-echo"
STAND_IN_MODEL: Final = "katan-stand-in"

_CALL_SECONDS: Final = 90.0
_COMMAND_SECONDS: Final = 60.0
_COMMAND: Final = (sys.executable, "-m", "aurorasoc.cli")
_SIMULATOR: Final = (sys.executable, "-c", "from llm_katan.cli import main; main()")


class DemoFailed(Exception):
    """A step's check failed; the message says what happened instead."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The model at an address, with a description for the reader."""

    url: str
    model: str
    described: str

    @property
    def base_url(self) -> str:
        """The base URL of its OpenAI protocol."""
        return f"{self.url}/v1"


@dataclass(slots=True)
class Stage:
    """Everything that runs. Secrets are random, and useless after the run.

    Attributes:
        folder: Holds state and logs; the caller removes it.
        children: Stops what is started here.
        key: The one key that the simulator accepts.
        secrets: Texts that no file may contain: the key, and those that steps add.
    """

    folder: Path
    children: Children
    key: str = field(default_factory=lambda: f"demo-{secrets.token_urlsafe(24)}", repr=False)
    secrets: list[str] = field(default_factory=list, repr=False)
    url: str = ""
    _variables: dict[str, str] = field(default_factory=dict, repr=False)
    _api: Child = field(init=False)
    _client: httpx.Client = field(init=False, repr=False)

    @property
    def state_dir(self) -> Path:
        """The service's own state."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        """The service's own log."""
        return self.folder / "service.log"

    def open(self, local: Backend) -> None:
        """Migrate an empty database, start the service, and sign an admin in."""
        self.secrets.append(self.key)
        self.url = f"http://{LOOPBACK}:{free_port(8080, fixed=False)}"
        self._variables = {
            "AURORA_STATE_DIR": str(self.state_dir),
            "AURORA_ALLOWED_HOSTS": LOOPBACK,  # base URLs on loopback are refused otherwise
            "AURORA_SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
            "LLM_BACKEND": "vllm",
            "LLM_VLLM_BASE_URL": local.base_url,
            "LLM_VLLM_MODEL": local.model,
        }
        self.command("migrate")
        self._serve()
        token = self.command("token", "create", "demo-admin").strip()
        import httpx  # noqa: PLC0415 - other commands need not load it

        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=_CALL_SECONDS,
        )

    def start_local(self, *, requested: bool) -> Backend:
        """Start the small local model; where it can't run, a second simulator replaces it."""
        reason = local_model.unavailable_reason() if requested else "--no-local-model was given."
        if reason:
            say(f"No local model: {reason} A second simulator stands in for it.")
            url = self._simulate("the stand-in for the local model", STAND_IN_MODEL)
            return Backend(url, STAND_IN_MODEL, f"{_simulator()}, checks no key")
        url = f"http://{LOOPBACK}:{free_port(0, fixed=True)}"
        self._start(
            [sys.executable, "-m", "aurorasoc.local_model", "--port", _port(url), *_parent()],
            ready=f"{url}/health",
            name="the local model",
            log="local-model.log",
        )
        return Backend(url, local_model.MODEL_NAME, "a real language model, and a very small one")

    def start_hosted(self) -> Backend:
        """Start the simulator of a hosted provider, which checks its key."""
        keys = ("--validate-keys", "--api-keys", f"openai={self.key}")
        url = self._simulate("the simulator", SIMULATED_MODEL, *keys)
        return Backend(url, SIMULATED_MODEL, f"{_simulator()}, checks its key")

    def restart(self) -> tuple[int, int]:
        """Stop the service's process and start another; return both process ids."""
        before = self._api
        self.children.stop(before)
        return before.process.pid, self._serve().process.pid

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **shown: Any
    ) -> httpx.Response:
        """Make an admin's call, and print it as a curl command.

        Args:
            method: GET, PUT or POST.
            path: Below `/api/v1`.
            body: Sent as JSON.
            **shown: Printed instead of members of the body: secrets, long texts.
        """
        say(_as_curl(method, path, None if body is None else {**body, **shown}))
        return self.ask(method, path, body)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Make an admin's call without printing it.

        Raises:
            DemoFailed: The service doesn't answer.
        """
        from httpx import TransportError  # noqa: PLC0415 - see `open`

        try:
            return self._client.request(method, f"{API}{path}", json=body)
        except TransportError as error:
            failure = type(error).__name__
        message = f"{method} {path} got no answer ({failure})"
        raise DemoFailed(message)

    def command(self, *arguments: str) -> str:
        """Run one of the service's commands to its end, and return its output.

        Raises:
            DemoFailed: Its exit code isn't 0.
        """
        done = subprocess.run(
            [*_COMMAND, *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            message = f"`aurorasoc {shlex.join(arguments)}` said: {done.stdout}{done.stderr}"
            raise DemoFailed(message.strip())
        return done.stdout

    def files(self) -> list[Path]:
        """Return every file that the service writes: its state, and its log."""
        return [*sorted(p for p in self.state_dir.rglob("*") if p.is_file()), self.log]

    def log_end(self) -> list[str]:
        """Return the last lines of the service's log; none before it starts."""
        if not self.log.exists():
            return []
        return self.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]

    def _serve(self) -> Child:
        argv = [*_COMMAND, "serve", "--host", LOOPBACK, "--port", _port(self.url), *_parent()]
        self._api = self._start(argv, ready=f"{self.url}/readyz", name="the API", log=self.log.name)
        return self._api

    def _simulate(self, name: str, model: str, *more: str) -> str:
        url = f"http://{LOOPBACK}:{free_port(0, fixed=True)}"
        flags = {"--model": model, "--backend": "echo", "--providers": "openai"}
        flags |= {"--host": LOOPBACK, "--port": _port(url)}  # by default it listens everywhere
        flags |= {"--stats-file": str(self.folder / f"{model}.json")}  # by default at home
        argv = [*_SIMULATOR, *(word for flag in flags.items() for word in flag)]
        argv += ["--disable-dashboard", *more]
        self._start(argv, ready=f"{url}/health", name=name, log=f"{model}.log")
        return url

    def _start(self, argv: list[str], *, ready: str, name: str, log: str) -> Child:
        return self.children.start(
            argv, self._environment(), ready=ready, name=name, log=self.folder / log
        )

    def _environment(self) -> dict[str, str]:
        folders = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return bare_environment(folders | self._variables)


def require_simulator() -> None:
    """Refuse to run without llm-katan.

    Raises:
        ConfigurationError: It isn't installed; the message says how to get it.
    """
    if find_spec("llm_katan") is None:
        detail = (
            "The demo's hosted provider is llm-katan, a development dependency that isn't "
            "installed here; `make demo` in a clone of the repository installs it."
        )
        raise ConfigurationError(detail)


def _simulator() -> str:
    return f"llm-katan {version('llm-katan')}, a third party's simulator"


def _as_curl(method: str, path: str, body: Mapping[str, Any] | None) -> str:
    verb = f"-X {method} " if method == "PUT" else ""
    lines = [f'  $ curl -s {verb}-H "Authorization: Bearer $TOKEN" "$URL{API}{path}"']
    if body is not None:
        lines.append("      -H 'Content-Type: application/json'")
        lines.append(f"      -d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    return " \\\n".join(lines)


def _parent() -> tuple[str, str]:
    """Return the option that ends a child with this process."""
    return "--parent", str(os.getpid())


def _port(url: str) -> str:
    return url.rpartition(":")[2]
