"""Which backend is in force, and the reference to its model.

An explicit choice is never probed and never replaced. Only `auto` probes, and only local
backends: vLLM first, else Ollama (docs/decisions/005). What a probe found is kept for 60 s.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from aurorasoc.config.assignments import Assignment
from aurorasoc.config.call_options import CallOptions
from aurorasoc.config.snapshot import CallLimits, ConnectionConfig, Snapshot
from aurorasoc.config.vocabulary import AUTO, LOCAL_BACKENDS, ConnectionName, Role, ServingBackend
from aurorasoc.errors import (
    BackendUnavailable,
    InvalidInput,
    NoModelConfigured,
    ProviderNotReady,
    UnknownProvider,
)
from aurorasoc.granite import NOT_NEEDED, ModelReference
from aurorasoc.granite.catalog import CATALOG

CACHE_SECONDS: Final = 60.0

Probe = Callable[[ServingBackend, str], Awaitable[int]]
"""The status that a backend answers at a URL, 0 for none: `llm.models.local_probe` asks as calls
are made."""

Clock = Callable[[], float]

_OK: Final = 200
_LOOK_ELSEWHERE: Final = frozenset({401, 403, 404, 405, 501})
"""A server without `/health` (LM Studio, Text Generation Inference's and vLLM's gateways), or one
that is guarded: its list of models tells. A server that is still loading answers 503."""


@dataclass(frozen=True, slots=True)
class _Finding:
    backend: ServingBackend | None
    expires: float


_findings: dict[tuple[str, ...], _Finding] = {}


def reset_resolution_cache() -> None:
    """Forget what was probed: the next use of `auto` probes anew."""
    _findings.clear()


async def refresh_resolution(
    snapshot: Snapshot, probe: Probe, clock: Clock = time.monotonic
) -> None:
    """Probe the local backends, unless that was done within the last 60 s.

    Args:
        snapshot: Names their addresses.
        probe: Returns the status of the answer at a URL.
        clock: Gives seconds that never go backwards.
    """
    addresses = _addresses(snapshot)
    known = _findings.get(addresses)
    if known is not None and known.expires > clock():
        return
    match = None
    for backend, base_url in zip(LOCAL_BACKENDS, addresses, strict=True):
        if base_url and await _answers(backend, base_url, probe):
            match = backend
            break
    _findings[addresses] = _Finding(match, clock() + CACHE_SECONDS)


def active_connection(snapshot: Snapshot) -> ConnectionName:
    """Return the connection in force.

    Raises:
        BackendUnavailable: The choice is `auto` and no local backend answered.
    """
    if snapshot.requested.value == AUTO:
        return local_connection(snapshot)
    return snapshot.requested.value


def local_connection(snapshot: Snapshot) -> ConnectionName:
    """Return the local backend that was found last, whatever is active.

    Raises:
        BackendUnavailable: Neither answered; both addresses are in the message.
    """
    addresses = _addresses(snapshot)
    known = _findings.get(addresses)
    if known is not None and known.backend is not None:
        return known.backend.value
    vllm, ollama = (
        " or ".join(_places(backend, base_url)) if base_url else "no address"
        for backend, base_url in zip(LOCAL_BACKENDS, addresses, strict=True)
    )
    detail = (
        f"Neither vLLM ({vllm}) nor Ollama ({ollama}) answers. "
        "Start one of them, set its base URL, or choose a provider."
    )
    raise BackendUnavailable(detail)


def connection_named(snapshot: Snapshot, name: str) -> ConnectionConfig:
    """Look a connection up by its name in a URL or on a command line.

    Raises:
        UnknownProvider: None has that name.
    """
    if name not in snapshot.connections:
        raise UnknownProvider(_no_such(snapshot))
    return snapshot.connections[name]


def require_exists(snapshot: Snapshot, name: str) -> ConnectionConfig:
    """Look a connection up by its name in a request's body.

    Raises:
        InvalidInput: None has that name.
    """
    if name not in snapshot.connections:
        raise InvalidInput(_no_such(snapshot))
    return snapshot.connections[name]


def require_may_be_local(snapshot: Snapshot, name: str) -> None:
    """Refuse a local backend that is neither `auto` nor a connection to Ollama or vLLM.

    Raises:
        InvalidInput: It is another.
    """
    local = [c.name for c in snapshot.connections.values() if CATALOG[c.provider].may_be_local]
    if name not in {AUTO, *local}:
        detail = f"local_backend must be one of: {', '.join((AUTO, *local))}."
        raise InvalidInput(detail)


def _no_such(snapshot: Snapshot) -> str:
    return f"There is no such connection. Known connections: {', '.join(snapshot.connections)}."


def model_reference(
    snapshot: Snapshot, name: ConnectionName, role: Role, model: str | None = None
) -> ModelReference:
    """Return the reference to a connection's model for a role, or to another of its models.

    Raises:
        NoModelConfigured: There is no model name.
        ProviderNotReady: Calls can't be made; the message holds every problem.
    """
    config = snapshot.connections[name]
    _require_callable(config, named=model is not None)
    return _reference(snapshot, config, model or config.model_of(role) or "")


def listing_reference(snapshot: Snapshot, name: ConnectionName) -> ModelReference:
    """Return a reference to ask a provider for its models: it needs no model name for that.

    Raises:
        ProviderNotReady: Calls can't be made for another reason.
    """
    config = snapshot.connections[name]
    _require_callable(config, named=True)
    return _reference(snapshot, config, "")


def described_reference(
    snapshot: Snapshot, name: ConnectionName, role: Role
) -> ModelReference | None:
    """Return the reference that describes a role's model, ready or not; None without a name.

    It is for looking up what is known of the model, not for calls.
    """
    config = snapshot.connections[name]
    model = config.model_of(role)
    return _reference(snapshot, config, model) if model else None


def _reference(snapshot: Snapshot, config: ConnectionConfig, model: str) -> ModelReference:
    return ModelReference(
        connection=config.name,
        provider=config.provider,
        prefix=CATALOG[config.provider].prefix,
        model=model,
        base_url=config.base_url.value,
        origin=config.origin or "",
        api_key=config.credential.api_key or NOT_NEEDED,
        limits=_limits(snapshot.limits, config.options),
        key_source=config.credential.source,
        key_tag=config.credential.key_tag,
        options=config.options,
    )


def _limits(limits: CallLimits, options: CallOptions) -> CallLimits:
    """Return the process's limits with a connection's own time-outs."""
    timeout, first_token = options.timeout, options.first_token_timeout
    if timeout is None and first_token is None:
        return limits
    return replace(
        limits,
        timeout=timeout or limits.timeout,
        first_token_timeout=first_token or limits.first_token_timeout,
    )


def require_ready(config: ConnectionConfig) -> None:
    """Refuse a connection that can't take calls.

    Raises:
        NoModelConfigured: There is no model name.
        ProviderNotReady: Any other problem.
    """
    for problem in config.problems:
        if problem.code == NoModelConfigured.code:
            raise NoModelConfigured(problem.detail)
    if config.problems:
        raise ProviderNotReady(" ".join(problem.detail for problem in config.problems))


def require_assignable(snapshot: Snapshot, assignments: Iterable[Assignment]) -> None:
    """Refuse assignments to a connection that doesn't exist, or can't take calls.

    Raises:
        NoModelConfigured: Neither the assignment nor the connection names a model.
        ProviderNotReady: It doesn't exist in this process, or has any other problem.
    """
    for one in assignments:
        if one.connection not in snapshot.connections:
            detail = f"The connection {one.connection} is assigned, and doesn't exist."
            raise ProviderNotReady(detail)
        _require_callable(snapshot.connections[one.connection], named=one.model is not None)


def _require_callable(config: ConnectionConfig, *, named: bool) -> None:
    """Refuse a connection that can't take calls; a call that names its model needs none there."""
    hindrances = tuple(p for p in config.problems if p.code != NoModelConfigured.code)
    require_ready(replace(config, problems=hindrances) if named else config)


async def _answers(backend: ServingBackend, base_url: str, probe: Probe) -> bool:
    status = 0
    for url in _places(backend, base_url):
        status = await probe(backend, url)
        if status not in _LOOK_ELSEWHERE:
            break
    return status == _OK


def _places(backend: ServingBackend, base_url: str) -> tuple[str, ...]:
    """Return where a backend is asked, below the path of its base URL: gateways have several."""
    spec = CATALOG[backend]
    listed = f"{base_url}{spec.models_path}"
    if backend is ServingBackend.OLLAMA:
        return (listed,)
    return f"{base_url.removesuffix(spec.root_path)}/health", listed


def _addresses(snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(snapshot.connections[backend].base_url.value or "" for backend in LOCAL_BACKENDS)
