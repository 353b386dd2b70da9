"""`aurorasoc dev`: a first run that answers.

Makes its secrets, migrates, and supervises two processes: the API, and a small real language
model on loopback that stands behind it as the vLLM-compatible backend.
"""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from aurorasoc import local_model
from aurorasoc.cli.first_run import FirstRun, instructions
from aurorasoc.cli.output import say
from aurorasoc.config.settings import SECRETS_FILE, Settings, load_settings
from aurorasoc.config.settings.children import child_environment, is_set, stored_secrets
from aurorasoc.core.principal import create_token
from aurorasoc.errors import ConfigurationError

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
TOKEN_LIFETIME: Final = timedelta(hours=12)


def dev(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    local_model_: Annotated[
        bool, typer.Option("--local-model/--no-local-model", help="Start the small model.")
    ] = True,
) -> None:
    """Start everything that a first run needs, and print what to try."""
    _make_secrets(load_settings().server.state_dir)
    settings = load_settings()
    from aurorasoc.core.migrations import migrate  # noqa: PLC0415 - beside its use

    say("==> migrating the database")
    migrate(settings.database_url)
    children = _Children()
    try:
        address = _start(children, settings, host, port, with_model=local_model_)
        say(instructions(address))
        children.wait()
    finally:
        children.stop()


def _start(
    children: _Children, settings: Settings, host: str | None, port: int | None, *, with_model: bool
) -> FirstRun:
    model_url = _start_model(children) if with_model else None
    used_host = host or settings.server.host
    wanted = settings.server.port if port is None else port
    used_port = _free_port(wanted, fixed=port is not None or is_set("AURORA_PORT"))
    say("==> starting the API")
    url = f"http://{used_host}:{used_port}"
    children.start(
        [
            sys.executable,
            "-m",
            "aurorasoc.cli",
            "serve",
            "--host",
            used_host,
            "--port",
            str(used_port),
        ],
        child_environment(stored_secrets(settings.server.state_dir) | _local_defaults(model_url)),
        ready=f"{url}/readyz",
        name="the API",
    )
    token = create_token(
        "dev-admin", roles=["admin"], lifetime=TOKEN_LIFETIME, settings=settings.security
    )
    return FirstRun(url, token, model_url, settings.server.state_dir)


def _start_model(children: _Children) -> str | None:
    reason = local_model.unavailable_reason()
    if reason:
        say(f"==> no local model: {reason}")
        return None
    say(f"==> starting the local model {local_model.MODEL_NAME} (135 million parameters)")
    port = _free_port(8081, fixed=False)
    url = f"http://127.0.0.1:{port}"
    children.start(
        [sys.executable, "-m", "aurorasoc.local_model", "--port", str(port)],
        child_environment({}),
        ready=f"{url}/health",
        name="the local model",
    )
    return url


def _local_defaults(model_url: str | None) -> dict[str, str]:
    """Point the boot defaults at the local model, where the environment says nothing else.

    Its loopback address may also be entered as an OpenAI-compatible endpoint, for trying that.
    """
    if model_url is None:
        return {}
    defaults = {"AURORA_ALLOWED_HOSTS": "127.0.0.1"}
    if not is_set("VLLM_BASE_URL") and not is_set("VLLM_MODEL"):
        defaults["LLM_VLLM_BASE_URL"] = f"{model_url}/v1"
        defaults["LLM_VLLM_MODEL"] = local_model.MODEL_NAME
    return defaults


def _make_secrets(state_dir: Path) -> None:
    """Write random seeds once, readable by their owner only."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = state_dir / SECRETS_FILE
    if file.exists():
        return
    say(f"==> making secrets in {file}")
    lines = [
        f"{name}={secrets.token_urlsafe(48)}" for name in ("JWT_SECRET_KEY", "AURORA_SECRET_KEY")
    ]
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def _free_port(wanted: int, *, fixed: bool) -> int:
    """Give the wanted port, or any free one where nobody insists."""
    import socket  # noqa: PLC0415 - beside its use

    for candidate in (wanted,) if fixed else (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    detail = f"Port {wanted} is taken. Choose another with --port or AURORA_PORT."
    raise ConfigurationError(detail)


class _Children:
    """The processes of a first run: started in order, stopped in reverse, by their own handles."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)

    def start(self, argv: list[str], env: dict[str, str], *, ready: str, name: str) -> None:
        """Start a process and wait until it answers."""
        child = subprocess.Popen(argv, env=env, start_new_session=True)  # noqa: S603 - our own modules
        self._running.append((name, child))
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(ready):
            if child.poll() is not None or time.monotonic() > deadline:
                detail = f"{name.capitalize()} did not start; its own lines above say why."
                raise ConfigurationError(detail)
            time.sleep(0.1)

    def wait(self) -> None:
        """Wait until one of them ends."""
        while True:
            for name, child in self._running:
                if child.poll() is not None:
                    detail = f"{name.capitalize()} ended (exit code {child.returncode})."
                    raise ConfigurationError(detail)
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop all, the last one first."""
        for _, child in reversed(self._running):
            child.terminate()
        for _, child in reversed(self._running):
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise typer.Exit(0)


def _answers(url: str) -> bool:
    from urllib.error import URLError  # noqa: PLC0415 - beside its use
    from urllib.request import ProxyHandler, build_opener  # noqa: PLC0415 - beside its use

    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except (URLError, OSError):
        return False
