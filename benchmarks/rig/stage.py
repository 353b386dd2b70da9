"""The stage of a measurement: a folder of its own, a clean environment, an open runtime."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.database.migrations import migrate
from aurorasoc.runtime import Runtime, open_runtime
from benchmarks.rig.upstream import MODEL
from tests.world.postgresql import PostgreSQL
from tests.world.service import service_env


@contextmanager
def environment(state_dir: Path, **variables: str) -> Iterator[None]:
    """Leave nothing of the surrounding shell but PATH: no key, no proxy, no model."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(service_env(state_dir, variables))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def upstream_variables(origin: str) -> dict[str, str]:
    """Make the one-token upstream the vLLM backend, the default one."""
    return {"LLM_VLLM_BASE_URL": f"{origin}/v1", "LLM_VLLM_MODEL": MODEL}


def migrated_settings(state_dir: Path, **variables: str) -> Settings:
    """Read settings from a clean environment, and make them an empty database."""
    with environment(state_dir, **variables):
        settings = load_settings()
    migrate(settings.database_url)
    return settings


@contextmanager
def databases() -> Iterator[dict[str, Callable[[], dict[str, str]]]]:
    """Yield each kind of database by name: each call gives what leads to a new, empty one.

    PostgreSQL keeps its promises here: what it says is committed survives a power cut.
    """
    with PostgreSQL(fsync="on") as server:
        yield {"SQLite": dict, "PostgreSQL": lambda: {"AURORA_DATABASE_URL": server.create()}}


@asynccontextmanager
async def warm_runtime(state_dir: Path, origin: str) -> AsyncIterator[Runtime]:
    """Open the runtime on the one-token upstream, with the libraries imported.

    The environment stays clean meanwhile: the libraries read it at each call.
    """
    variables = upstream_variables(origin)
    settings = migrated_settings(state_dir, **variables)
    with environment(state_dir, **variables):
        async with open_runtime(settings) as runtime:
            await runtime.pool.prepare()
            yield runtime
