"""The database may go away: what was adopted goes on, and nothing is changed meanwhile.

PostgreSQL is stopped. SQLite's database "goes away" when somebody else holds every lock of its
write-ahead log, as a broken network file system does: each read and write then fails, after the
10 s for which SQLite itself tries again (https://www.sqlite.org/walformat.html#wal_locks).
"""

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.world.databases import ON_BOTH, SQLITE, bring_to_head
from tests.world.postgresql import PostgreSQL
from tests.world.processes import answers, until
from tests.world.service import CONFIG, PROVIDERS, Service, asked
from tests.world.vendor import VendorServer

FIRST_LOCK: Final = 120
LOCKS: Final = 8

pytestmark = ON_BOTH


class Outage(NamedTuple):
    """What was seen of a service while its database was away, and after it came back."""

    before: dict[str, Any]
    refused: list[httpx.Response]
    inventory: dict[str, Any]
    chat: httpx.Response
    ready: bool
    after: dict[str, Any]
    written: httpx.Response


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold all locks of a SQLite database's write-ahead log."""
    with database.with_name(f"{database.name}-shm").open("r+b") as shared:
        fcntl.lockf(shared, fcntl.LOCK_EX, LOCKS, FIRST_LOCK)
        yield


@contextmanager
def away(service: Service, server: PostgreSQL | None) -> Iterator[None]:
    """Take the database away: PostgreSQL is stopped, SQLite is locked."""
    if server is None:
        with locked(service.database):
            yield
        return
    server.terminate()
    yield
    server.start()


@pytest.fixture(scope="module")
def server(database_kind: str) -> Iterator[PostgreSQL | None]:
    """Start a PostgreSQL that may be stopped; SQLite needs none."""
    if database_kind == SQLITE:
        yield None
        return
    with PostgreSQL() as running:
        yield running


def own_database(server: PostgreSQL | None) -> dict[str, str]:
    """Return what leads a service to a database on the server; nothing for SQLite's."""
    return {} if server is None else {"AURORA_DATABASE_URL": server.create()}


def fresh_inventory(service: Service) -> dict[str, Any]:
    """Return the first inventory that isn't stale."""
    until(lambda: service.inventory()["stale_since"] is None)
    return service.inventory()


@pytest.fixture(scope="module")
def outage(
    server: PostgreSQL | None,
    local_servers: VendorServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outage:
    """Take the database away from a running service, and give it back."""
    variables = own_database(server) | {"LLM_VLLM_BASE_URL": f"{local_servers.url}/v1"}
    with Service(tmp_path_factory.mktemp("outage"), variables) as service:
        admin = service.client()
        admin.put(CONFIG, json={"provider": "vllm", "model": "chosen"})
        assert admin.post("/chat", json=asked()).status_code == 200
        before = service.inventory()
        calls = (
            lambda: admin.put(CONFIG, json={"provider": "ollama"}),
            lambda: admin.get("/audit"),
        )
        with away(service, server):
            with ThreadPoolExecutor(2) as pool:
                refused = list(pool.map(lambda call: call(), calls))
            inventory = service.inventory()
            chat = admin.post("/chat", json=asked())
            ready = answers(f"{service.url}/readyz")
        after = fresh_inventory(service)
        written = admin.put(CONFIG, json={"provider": "ollama"})
        return Outage(before, refused, inventory, chat, ready, after, written)


def test_what_needs_the_database_is_a_503(outage: Outage) -> None:
    """A mutation, and the audit log, answer that the database doesn't."""
    refusals = [(answer.status_code, answer.json()["code"]) for answer in outage.refused]
    assert refusals == [(503, "database_unavailable")] * 2


def test_models_keep_running(outage: Outage) -> None:
    """A chat is answered from the snapshot, by the model that was chosen."""
    assert outage.chat.status_code == 200
    assert outage.chat.json()["model"] == "chosen"


def test_inventory_says_since_when_it_is_stale(outage: Outage) -> None:
    """The inventory answers from the snapshot, and adds since when nothing newer is known."""
    assert outage.before["stale_since"] is None
    assert outage.inventory["stale_since"].startswith("20")
    assert outage.inventory["active"] == outage.before["active"]
    assert outage.inventory["revision"] == outage.before["revision"]


def test_service_stays_ready(outage: Outage) -> None:
    """`/readyz` goes on with 200: calls are answered."""
    assert outage.ready


def test_nothing_was_changed_meanwhile(outage: Outage) -> None:
    """What was refused didn't happen, then or later."""
    assert outage.after["revision"] == outage.before["revision"]
    assert outage.after["active"] == outage.before["active"]


def test_database_that_came_back_is_used_again(outage: Outage) -> None:
    """Once it answers, the inventory is no longer stale, and changes are made."""
    assert outage.written.status_code == 200
    assert outage.written.json()["revision"] == outage.after["revision"] + 1


class ColdStart(NamedTuple):
    """What was seen of a service that was started without its database, and after it came."""

    alive: httpx.Response
    ready: httpx.Response
    calls: list[httpx.Response]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def cold(server: PostgreSQL | None, tmp_path_factory: pytest.TempPathFactory) -> ColdStart:
    """Start a service without its database, ask it, and bring the database back."""
    folder = tmp_path_factory.mktemp("cold")
    service = Service(folder, own_database(server), ready="/healthz")
    bring_to_head(service.stored)
    set_before = service.command("providers", "use", "ollama", "--model", "chosen")
    assert set_before.returncode == 0, set_before.stderr
    bring_back = put_a_folder_in_its_place(service) if server is None else server.start
    if server is not None:
        server.terminate()
    with service:
        client = service.client()
        alive, ready = (client.get(f"{service.url}/{path}") for path in ("healthz", "readyz"))
        calls = [
            client.get(PROVIDERS),
            client.put(CONFIG, json={"provider": "ollama"}),
            client.post("/chat", json=asked()),
        ]
        bring_back()
        until(lambda: answers(f"{service.url}/readyz"))
        return ColdStart(alive, ready, calls, service.inventory())


def put_a_folder_in_its_place(service: Service) -> Callable[[], object]:
    """Take SQLite's file away; give what brings it back."""
    elsewhere = service.database.rename(service.folder / "elsewhere.db")
    service.database.mkdir()

    def bring_back() -> None:
        service.database.rmdir()
        elsewhere.rename(service.database)

    return bring_back


def test_cold_start_without_the_database_is_alive_and_not_ready(cold: ColdStart) -> None:
    """A service that never read its configuration answers, and says that it isn't ready."""
    assert cold.alive.status_code == 200
    assert (cold.ready.status_code, cold.ready.json()["code"]) == (503, "database_unavailable")


def test_cold_start_without_the_database_answers_503(cold: ColdStart) -> None:
    """Nothing is made up from the environment alone while the stored configuration is unknown."""
    codes = [(answer.status_code, answer.json()["code"]) for answer in cold.calls]
    assert codes == [(503, "database_unavailable")] * 3


def test_service_becomes_ready_when_the_database_appears(cold: ColdStart) -> None:
    """No restart is needed: the configuration is adopted once it can be read."""
    assert cold.after["active"]["model"] == "chosen"
