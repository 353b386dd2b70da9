"""`aurorasoc local-model serve`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="A small real language model on loopback.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A small real language model on loopback."""


@app.command()
def serve(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8081) -> None:
    """Serve it until interrupted. It speaks OpenAI's protocol at http://127.0.0.1:PORT/v1."""
    from aurorasoc import local_model  # noqa: PLC0415 - needs the extra `local-model`

    local_model.serve(port)
