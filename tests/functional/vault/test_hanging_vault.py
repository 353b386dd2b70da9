"""A service whose Vault hangs does all else meanwhile, and ends when it is told to."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.world import patient
from tests.world.service import CONFIG, PROVIDERS, Service, asked
from tests.world.vault.faults import VaultFault, VaultFaultProxy
from tests.world.vault.members import KEY, OTHER_KEY, House, build_house
from tests.world.vault.server import VaultServer
from tests.world.vendor import VendorServer

PATIENCE: Final = 60.0
KILLED: Final = -9


@dataclass(frozen=True)
class Stalled:
    """What a service answered while its Vault hung, to Vault's business and to any other.

    `exit_code` is how it then ended, with calls to Vault still out.
    """

    others: dict[str, httpx.Response]
    key: httpx.Response
    exit_code: int


def unrelated(admin: httpx.Client, service: Service) -> dict[str, httpx.Response]:
    """Do what has nothing to do with Vault: look, switch a keyless provider, chat on it."""
    return {
        "inventory": admin.get(PROVIDERS),
        "switch": admin.put(CONFIG, json={"provider": "ollama", "model": "chosen"}),
        "chat": admin.post("/chat", json=asked()),
        "history": admin.get("/system/llm/history"),
        "readyz": patient.get(f"{service.url}/readyz"),
    }


@pytest.fixture(scope="module")
def stalled(
    shared_vault: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stalled]:
    """Hang Vault under a running service, set a key and do other things meanwhile, and end it."""
    folder = tmp_path_factory.mktemp("stalled")
    house = build_house(folder / "state", shared_vault)
    with (
        VaultFaultProxy(shared_vault.url) as proxy,
        VendorServer(plays=["ollama"]) as ollama,
        Service(folder, _variables(house, proxy, ollama)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        admin = service.client()
        admin.put(f"{PROVIDERS}/deepseek/key", json={"api_key": KEY})
        with proxy.held(VaultFault(hang=True)):
            other = service.client(subject="who-sets-the-key")
            setting = pool.submit(
                other.put, f"{PROVIDERS}/deepseek/key", json={"api_key": OTHER_KEY}
            )
            one_more_hangs(proxy, 0)
            others = unrelated(admin, service)
            key = setting.result(PATIENCE)
            before = hanging(proxy)
            pool.submit(other.put, f"{PROVIDERS}/deepseek/key", json={"api_key": OTHER_KEY})
            one_more_hangs(proxy, before)
            exit_code = service.terminate()
        yield Stalled(others, key, exit_code)


def one_more_hangs(proxy: VaultFaultProxy, before: int) -> None:
    """Wait until Vault is asked once more, in vain."""
    end = time.monotonic() + PATIENCE
    while hanging(proxy) <= before:
        assert time.monotonic() < end, "it asked no more of Vault"
        time.sleep(0.05)


def hanging(proxy: VaultFaultProxy) -> int:
    """Count the requests that met with silence."""
    return sum(seen.fault.hang for seen in proxy.seen())


def _variables(house: House, proxy: VaultFaultProxy, ollama: VendorServer) -> dict[str, Any]:
    overrides = {"LLM_OLLAMA_BASE_URL": ollama.url, "LLM_BACKEND": "ollama"}
    return house.env(proxy.url) | overrides


@pytest.mark.parametrize("call", ["inventory", "switch", "chat", "history", "readyz"])
def test_unrelated_calls_go_on_while_vault_hangs(stalled: Stalled, call: str) -> None:
    """Each is answered while Vault has yet to answer anything."""
    assert stalled.others[call].status_code == 200, stalled.others[call].text


def test_a_key_set_while_vault_hangs_is_a_503(stalled: Stalled) -> None:
    """It wasn't written, and the answer says so."""
    assert stalled.key.status_code == 503
    assert stalled.key.json()["code"] == "secret_store_unavailable"


def test_a_service_ends_while_vault_hangs(stalled: Stalled) -> None:
    """Its threads end with their calls, and nothing waits for more."""
    assert stalled.exit_code != KILLED  # it would be, after a minute
