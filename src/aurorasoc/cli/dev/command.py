"""`aurorasoc dev`: a first run that works.

Create secrets, migrate, and supervise two processes: the API, and a small real language model on
loopback, which is its vLLM-compatible backend.
"""

from __future__ import annotations

import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from aurorasoc import local_model
from aurorasoc.cli.dev.first_run import FirstRun, instructions
from aurorasoc.cli.dev.supervisor import Children, free_port
from aurorasoc.cli.output import say
from aurorasoc.config.settings import (
    LOCAL_MODEL_FILE,
    SECRETS_FILE,
    Settings,
    load_settings,
)
from aurorasoc.config.settings.child_environment import child_environment, is_set, stored_secrets
from aurorasoc.config.settings.private_files import (
    create_private_file,
    make_private_folder,
    replace_private_file,
)
from aurorasoc.core.access.tokens import create_token

_MODEL: Final = (sys.executable, "-m", "aurorasoc.local_model")

_MODEL_PORT: Final = 8081

TOKEN_LIFETIME: Final = timedelta(hours=12)


def dev(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    local_model_: Annotated[
        bool, typer.Option("--local-model/--no-local-model", help="Start the small model.")
    ] = True,
) -> None:
    """Start all that a first run needs. Print what to try."""
    _make_secrets(load_settings().server.state_dir)
    settings = load_settings()
    from aurorasoc.core.database.migrations import migrate  # noqa: PLC0415 - beside its use

    say("==> migrating the database")
    migrate(settings.database_url)
    with Children() as children:
        address = _start(children, settings, host, port, with_model=local_model_)
        say(instructions(address))
        children.wait()


def _start(
    children: Children, settings: Settings, host: str | None, port: int | None, *, with_model: bool
) -> FirstRun:
    used_host = host or settings.server.host
    requested = settings.server.port if port is None else port
    used_port = _port(requested, fixed=port is not None or is_set("AURORA_PORT"))
    model_url = _start_model(children, beside=used_port) if with_model else None
    _write_address(children, settings.server.state_dir, model_url)
    say("==> starting the API")
    url = f"http://{used_host}:{used_port}"
    children.start(
        [
            sys.executable,
            "-m",
            "aurorasoc.cli",
            "serve",
            "--parent",
            str(os.getpid()),
            "--host",
            used_host,
            "--port",
            str(used_port),
        ],
        child_environment(
            stored_secrets(settings.server.state_dir) | _local_defaults(model_url) | _log_default()
        ),
        ready=f"{url}/readyz",
        name="the API",
    )
    token = create_token(
        "dev-admin", roles=["admin"], lifetime=TOKEN_LIFETIME, settings=settings.security
    )
    return FirstRun(url, token, model_url, settings.server.state_dir)


def _start_model(children: Children, *, beside: int) -> str | None:
    """Start the small model at its usual port, or at another one; never at the API's."""
    reason = local_model.unavailable_reason()
    if reason:
        say(f"==> no local model: {reason}")
        return None
    say(f"==> starting the local model {local_model.MODEL_NAME} (135 million parameters)")
    port = _port(0 if beside == _MODEL_PORT else _MODEL_PORT, fixed=False)
    url = f"http://127.0.0.1:{port}"
    children.start(
        [*_MODEL, "--port", str(port), "--parent", str(os.getpid())],
        child_environment({}),
        ready=f"{url}/health",
        name="the local model",
    )
    return url


def _port(requested: int, *, fixed: bool) -> int:
    """Return the port to use, and say so if it isn't the one that was requested."""
    port = free_port(requested, fixed=fixed)
    if requested not in {0, port}:
        say(f"==> port {requested} is taken; taking {port}")
    return port


def _log_default() -> dict[str, str]:
    """Show short log lines where a person reads them; elsewhere programs do, which read JSON."""
    return {"AURORA_LOG": "short"} if sys.stdout.isatty() and sys.stderr.isatty() else {}


def _local_defaults(model_url: str | None) -> dict[str, str]:
    """Point the boot defaults at the local model, unless the environment sets others.

    Its loopback address is allowed, so that it can also be tried as an OpenAI-compatible endpoint.
    """
    if model_url is None:
        return {}
    return {"AURORA_ALLOWED_HOSTS": "127.0.0.1"} | _model_variables(model_url)


def _model_variables(model_url: str) -> dict[str, str]:
    if is_set("VLLM_BASE_URL") or is_set("VLLM_MODEL"):
        return {}
    defaults = {"LLM_VLLM_BASE_URL": f"{model_url}/v1", "LLM_VLLM_MODEL": local_model.MODEL_NAME}
    return {name: value for name, value in defaults.items() if not is_set(name)}


def _write_address(children: Children, state_dir: Path, model_url: str | None) -> None:
    """Write the local model's address for other commands; remove it once the model stops."""
    file = state_dir / LOCAL_MODEL_FILE
    children.afterwards.callback(file.unlink, missing_ok=True)
    variables = _model_variables(model_url) if model_url else {}
    replace_private_file(file, "".join(f"{n}={v}\n" for n, v in variables.items()))


def _make_secrets(state_dir: Path) -> None:
    """Write random seeds once, readable by their owner only."""
    make_private_folder(state_dir)
    file = state_dir / SECRETS_FILE
    if file.exists():
        return
    say(f"==> making secrets in {file}")
    lines = [
        f"{name}={secrets.token_urlsafe(48)}" for name in ("JWT_SECRET_KEY", "AURORA_SECRET_KEY")
    ]
    create_private_file(file, "\n".join(lines) + "\n")
