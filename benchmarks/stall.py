"""Do calls that have nothing to do with Vault slow down while it stalls?

One `aurorasoc serve` on a real Vault, behind a proxy that swallows every request: the same calls
with Vault answering and with Vault stalled, while keys are polled and somebody tries to set one.
The 99th percentile counts, not the median: a loop that is blocked now and then shows there.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.rig.counts import Counts
from benchmarks.rig.rows import Bar, Row, row
from benchmarks.rig.stage import upstream_variables
from benchmarks.rig.upstream import one_token_upstream
from tests.world.loopback import LOOPBACK
from tests.world.service import API, PROVIDERS, Service, asked, bearer, token
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.server import VAULT, VaultServer

_BAR: Final = Bar(0.1, on="ours")
_PEER: Final = "the same while Vault answers"
_KEY: Final = {"api_key": "sk-benchmark-0123456789"}
_CALLS: Final[dict[str, tuple[str, str, dict[str, Any] | None]]] = {
    "the inventory": ("GET", PROVIDERS, None),
    "the history": ("GET", "/system/llm/history", None),
    "`POST /chat`": ("POST", "/chat", asked()),
}

Times = dict[str, list[float]]


def measure(counts: Counts) -> list[Row]:
    """Call for a while with Vault answering, then as long with Vault stalled."""
    if VAULT.find() is None:
        sys.exit(VAULT.missing)
    with TemporaryDirectory(prefix="aurorasoc-bench-") as name, _stage(Path(name)) as stage:
        service, proxy = stage
        _call_for(service, min(1.0, counts.stall))  # the first calls import what they need
        answering = _call_for(service, counts.stall)
        with proxy.held(VaultFault(hang=True)), _setting_keys(service):
            stalled = _call_for(service, counts.stall)
            assert any(seen.fault.hang for seen in proxy.seen()), "Vault wasn't asked"
    return [
        row(
            f"stall: {call}, p99 of {len(ours)}",
            [_p99(ours)],
            [_p99(answering[call])],
            peer=_PEER,
            bar=_BAR,
        )
        for call, ours in stalled.items()
    ]


@contextmanager
def _stage(folder: Path) -> Iterator[tuple[Service, VaultFaultProxy]]:
    """Run Vault, the proxy before it, a model server and the service, with a key in force."""
    vault_folder = folder / "vault"
    vault_folder.mkdir()
    with (
        VaultServer(vault_folder) as vault,
        VaultFaultProxy(vault.open().url) as proxy,
        one_token_upstream(folder) as origin,
        Service(
            folder,
            upstream_variables(origin) | _vault_variables(vault, proxy),
            popen=subprocess.Popen,
        ) as service,
    ):
        set_key = service.client().put(f"{PROVIDERS}/deepseek/key", json=_KEY)
        assert set_key.is_success, set_key.text
        yield service, proxy


def _vault_variables(vault: VaultServer, proxy: VaultFaultProxy) -> dict[str, str]:
    """Poll each second, so that threads hang all the while."""
    access = {"VAULT_ADDR": proxy.url, "VAULT_TOKEN": vault.root_token}
    return {**access, "VAULT_POLL_INTERVAL": "1"}


@contextmanager
def _setting_keys(service: Service) -> Iterator[None]:
    """Try to set a key, again and again, in a thread."""
    over = threading.Event()
    client = service.client(subject="who-sets-keys")

    def work() -> None:
        while not over.is_set():
            client.put(f"{PROVIDERS}/anthropic/key", json=_KEY)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _call_for(service: Service, seconds: float) -> Times:
    """Make each of the calls in turn; give how long each took."""
    connection = http.client.HTTPConnection(LOOPBACK, service.port, timeout=60)
    headers = {**bearer(token()), "Content-Type": "application/json"}
    times: Times = {call: [] for call in _CALLS}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times["the inventory"]) < 2:
        for call, (method, path, body) in _CALLS.items():
            began = time.perf_counter()
            connection.request(method, f"{API}{path}", json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            answer.read()
            times[call].append(time.perf_counter() - began)
            assert answer.status == http.client.OK, f"{call}: {answer.status}"
    connection.close()
    return times


def _p99(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[98]
