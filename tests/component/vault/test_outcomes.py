"""Every answer of Vault, and every way to get none, has a named outcome.

First what a real server can be made to answer, then what only a load balancer, a standby or a
broken network does. Reads and writes are told apart: a write whose answer is lost is undecided,
one that was refused or never sent is not.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from aurorasoc.core.vault.answers import VaultConflict, VaultProblem, VaultUndecided
from aurorasoc.core.vault.client import VaultClient
from tests.component.live import until
from tests.world.certificates import CertificateAuthority
from tests.world.vault.faults import (
    NOT_INITIALISED,
    NOT_YET_HERE,
    QUOTA_EXCEEDED,
    SEALED,
    WEB_PAGE,
    ForeignOrigin,
    VaultFault,
    VaultFaultProxy,
    error,
)
from tests.world.vault.kubernetes import KubernetesApi
from tests.world.vault.members import KEY, OTHER_KEY, House, member, vault_settings
from tests.world.vault.server import VaultServer
from tests.world.vendor.faults import HTML
from tests.world.vendor.http1 import Answer

NAME: Final = "deepseek"
FIELDS: Final = {"api_key": KEY}
DATA: Final = "/data/aurorasoc/llm-providers/"
LOGIN: Final = "/auth/approle/login"
READERS: Final = 100


@contextmanager
def opened(url: str, **fields: Any) -> Iterator[VaultClient]:
    """Yield a client with these settings."""
    client = VaultClient(vault_settings(url, **fields))
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def bare(shared_vault: VaultServer, tmp_path: Path) -> House:
    """Return the shared mount, without the secret, and no database."""
    house = House(tmp_path, shared_vault, "secret", {})
    house.remove()
    return house


@pytest.fixture
def client(bare: House) -> Iterator[VaultClient]:
    """Yield root's client of the real server."""
    with opened(bare.vault.url, token=bare.vault.root_token) as made:
        yield made


@pytest.fixture
def behind(bare: House, proxy: VaultFaultProxy) -> Iterator[VaultClient]:
    """Yield root's client by way of the fault proxy."""
    with opened(proxy.url, token=bare.vault.root_token) as made:
        yield made


async def trouble_of_read(client: VaultClient) -> str:
    """Return the problem that a read reports."""
    with pytest.raises(VaultProblem) as caught:
        await client.read(NAME)
    return caught.value.trouble


async def trouble_of_write(client: VaultClient) -> str:
    """Return the problem that a write reports which certainly didn't happen."""
    with pytest.raises(VaultProblem) as caught:
        await client.write(NAME, FIELDS, cas=0)
    return caught.value.trouble


# --- what a real server answers ----------------------------------------------------------------


async def test_a_secret_is_read_as_it_was_written(client: VaultClient) -> None:
    """A success is a secret with its version."""
    version = await client.write(NAME, FIELDS, cas=0)
    secret = await client.read(NAME)
    assert secret is not None
    assert (secret.version, secret.fields["api_key"].get_secret_value()) == (version, KEY)


async def test_a_secret_that_never_existed_is_none(client: VaultClient) -> None:
    """The first kind of 404: no errors, no metadata."""
    assert (await client.read(NAME), await client.current_version(NAME)) == (None, 0)


async def test_a_soft_deleted_secret_is_none(client: VaultClient, bare: House) -> None:
    """The second kind of 404: metadata without data."""
    bare.put(api_key=KEY)
    bare.vault.call("DELETE", f"{bare.mount}{DATA}{NAME}")
    assert await client.read(NAME) is None


async def test_a_soft_deleted_secret_wants_its_present_version(
    client: VaultClient, bare: House
) -> None:
    """Check-and-set counts the deleted version."""
    bare.put(api_key=KEY)
    bare.vault.call("DELETE", f"{bare.mount}{DATA}{NAME}")
    with pytest.raises(VaultConflict):
        await client.write(NAME, FIELDS, cas=0)
    assert await client.write(NAME, FIELDS, cas=await client.current_version(NAME)) == 2


async def test_a_destroyed_version_is_none(client: VaultClient, bare: House) -> None:
    """Destroyed for good is a 404 with metadata, too."""
    bare.put(api_key=KEY)
    path = f"{bare.mount}/destroy/aurorasoc/llm-providers/{NAME}"
    bare.vault.call("PUT", path, {"versions": [1]})
    assert await client.read(NAME) is None


async def test_a_missing_mount_is_not_a_missing_key(shared_vault: VaultServer) -> None:
    """The third kind of 404 is denied, to reads and writes alike."""
    with opened(shared_vault.url, token=shared_vault.root_token, kv_mount="absent") as client:
        troubles = [await trouble_of_read(client), await trouble_of_write(client)]
        with pytest.raises(VaultProblem):
            await client.delete(NAME)
    assert troubles[0] == "denied"


async def test_a_mismatched_version_is_a_conflict(client: VaultClient) -> None:
    """A check-and-set that fails has changed nothing, and says so."""
    await client.write(NAME, FIELDS, cas=0)
    with pytest.raises(VaultConflict):
        await client.write(NAME, {"api_key": OTHER_KEY}, cas=0)


async def test_deleting_takes_all_versions(client: VaultClient) -> None:
    """Versions begin at one again."""
    await client.write(NAME, FIELDS, cas=0)
    await client.delete(NAME)
    await client.delete(NAME)
    assert await client.write(NAME, FIELDS, cas=0) == 1


async def test_an_uninitialised_vault_is_sealed(vault_program: Path, tmp_path: Path) -> None:
    """Neither a read nor a write got anywhere."""
    with (
        VaultServer(tmp_path, binary=vault_program) as new,
        opened(new.url, token="any") as client,
    ):
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
    assert troubles == {"sealed"}


async def test_a_sealed_vault_is_sealed(vault: VaultServer) -> None:
    """A write to it is certain not to have happened."""
    vault.seal()
    with opened(vault.url, token=vault.root_token) as client:
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
    assert troubles == {"sealed"}


async def test_a_stopped_vault_is_unreachable(vault: VaultServer) -> None:
    """A write that was never sent isn't undecided."""
    vault.stop()
    with opened(vault.url, token="any") as client:
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
    assert troubles == {"unreachable"}


async def test_a_policy_that_forbids_is_denied(shared_vault: VaultServer) -> None:
    """The token is good, and the path is closed."""
    with opened(shared_vault.url, token=shared_vault.token("default")) as client:
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
    assert troubles == {"denied"}


async def test_the_shipped_policy_allows_all_that_is_needed(house: House) -> None:
    """Write, read, look at the version, and delete, under the policy of the docs."""
    token = house.vault.token(house.mount, "default")
    with opened(house.vault.url, token=token, kv_mount=house.mount) as client:
        await client.write(NAME, FIELDS, cas=await client.current_version(NAME))
        assert await client.read(NAME) is not None
        await client.delete(NAME)
        assert await client.read(NAME) is None


async def test_the_shipped_policy_allows_no_other_path(house: House) -> None:
    """Secrets beside the providers' stay closed."""
    house.vault.put_secret("others/secret", {"api_key": KEY}, house.mount)
    token = house.vault.token(house.mount, "default")
    answer = house.vault.ask("GET", f"{house.mount}/data/others/secret", token=token)
    assert answer.status_code == 403


async def test_a_revoked_token_is_unauthenticated(shared_vault: VaultServer) -> None:
    """There is no login to try again."""
    token = shared_vault.token("default")
    shared_vault.revoke(token)
    with opened(shared_vault.url, token=token) as client:
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
    assert troubles == {"unauthenticated"}


async def test_a_wrong_login_is_unauthenticated(house: House) -> None:
    """Vault refuses the secret id."""
    role = house.variables["VAULT_ROLE_ID"]
    with opened(house.vault.url, role_id=role, secret_id="wrong") as client:
        assert await trouble_of_read(client) == "unauthenticated"


async def test_a_hundred_readers_across_an_expiry_make_one_login(
    house: House, proxy: VaultFaultProxy
) -> None:
    """An expired AppRole token is replaced once, and no reader sees an error."""
    house.put(api_key=KEY)
    login = {name: house.variables[f"VAULT_{name.upper()}"] for name in ("role_id", "secret_id")}
    with opened(proxy.url, kv_mount=house.mount, **login) as client:
        await client.read(NAME)
        (used,) = {str(seen.token) for seen in proxy.seen(DATA)}
        house.vault.shorten(used, 1)
        self_check = ("GET", "auth/token/lookup-self")
        await until(lambda: not house.vault.ask(*self_check, token=used).is_success)
        proxy.clear()
        secrets = await asyncio.gather(*(client.read(NAME) for _ in range(READERS)))
    keys = [secret.fields["api_key"].get_secret_value() for secret in secrets if secret]
    assert (keys, len(proxy.seen(LOGIN))) == ([KEY] * READERS, 1)


async def test_an_authority_that_is_not_trusted_is_unreachable(
    vault_program: Path, tmp_path: Path, ca: CertificateAuthority
) -> None:
    """Nothing was sent, so that a write isn't undecided."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    wrong = CertificateAuthority(stranger)
    with (
        VaultServer(tmp_path, ca=ca, binary=vault_program) as server,
        opened(server.url, token="any", cacert=wrong.pem) as client,
        opened(server.url, token="any", cacert=ca.pem) as trusting,
    ):
        troubles = {await trouble_of_read(client), await trouble_of_write(client)}
        assert (troubles, await trouble_of_read(trusting)) == ({"unreachable"}, "sealed")


async def test_a_pod_logs_in_with_its_service_account(house: House, tmp_path: Path) -> None:
    """Kubernetes vouches for the pod's own token."""
    file = tmp_path / "token"
    with KubernetesApi() as api:
        file.write_text(api.issue("aurorasoc", "soc"), "ascii")
        house.vault.kubernetes_role(
            "pods", house.mount, "default", api=api, account="aurorasoc", namespace="soc"
        )
        login = {"k8s_role": "pods", "k8s_token_file": file, "kv_mount": house.mount}
        with opened(house.vault.url, **login) as client:
            assert await client.write(NAME, FIELDS, cas=0) == 1


async def test_a_pod_without_a_token_is_unauthenticated(house: House, tmp_path: Path) -> None:
    """It is no matter of the network."""
    login = {"k8s_role": "pods", "k8s_token_file": tmp_path / "absent"}
    with opened(house.vault.url, **login) as client:
        assert await trouble_of_read(client) == "unauthenticated"


# --- what stands in for a real server -----------------------------------------------------------

PAGE_404: Final = Answer(404, HTML, "text/html")
PAGE_503: Final = Answer(503, HTML, "text/html")
OTHER_JSON: Final = Answer.of({"status": "fine"})
_FAILED: Final = [500, 502, 504]
_NOT_HERE: Final = [QUOTA_EXCEEDED, NOT_YET_HERE, error(472, "secondary"), error(473, "standby")]


def _status(answer: Answer) -> str:
    return f"{answer.status}-{answer.media_type.partition(';')[0].partition('/')[2]}"


@pytest.mark.parametrize(
    "answer",
    [*_NOT_HERE, *(error(status, "failed") for status in _FAILED), WEB_PAGE, PAGE_404, OTHER_JSON],
    ids=_status,
)
async def test_a_read_that_is_not_answered_by_vault_is_unreachable(
    behind: VaultClient, proxy: VaultFaultProxy, answer: Answer
) -> None:
    """Above all it is never "no such key"."""
    with proxy.held(VaultFault(answer=answer)):
        assert await trouble_of_read(behind) == "unreachable"


@pytest.mark.parametrize("data", [None, [], "text"], ids=str)
async def test_a_mount_that_is_described_by_someone_else_is_unreachable(
    behind: VaultClient, proxy: VaultFaultProxy, data: object
) -> None:
    """A secret isn't there, and what says of which engine isn't Vault."""
    fault = VaultFault(where="internal/ui/mounts", answer=Answer.of({"data": data}))
    with proxy.held(fault):
        assert await trouble_of_read(behind) == "unreachable"


@pytest.mark.parametrize("answer", [SEALED, NOT_INITIALISED, PAGE_503], ids=_status)
async def test_a_read_of_a_node_that_is_sealed_is_sealed(
    behind: VaultClient, proxy: VaultFaultProxy, answer: Answer
) -> None:
    """501 and 503 say so."""
    with proxy.held(VaultFault(answer=answer)):
        assert await trouble_of_read(behind) == "sealed"


@pytest.mark.parametrize("answer", [*_NOT_HERE, PAGE_404], ids=_status)
async def test_a_write_that_is_turned_away_did_not_happen(
    behind: VaultClient, proxy: VaultFaultProxy, answer: Answer
) -> None:
    """A standby, a quota or another server took nothing."""
    with proxy.held(VaultFault(method="POST", answer=answer)):
        assert await trouble_of_write(behind) == "unreachable"


@pytest.mark.parametrize("answer", [SEALED, NOT_INITIALISED], ids=_status)
async def test_a_write_that_vault_itself_refuses_as_sealed_did_not_happen(
    behind: VaultClient, proxy: VaultFaultProxy, answer: Answer
) -> None:
    """Vault says so in its own words."""
    with proxy.held(VaultFault(method="POST", answer=answer)):
        assert await trouble_of_write(behind) == "sealed"


@pytest.mark.parametrize(
    "answer",
    [*(error(status, "failed") for status in _FAILED), WEB_PAGE, PAGE_503, OTHER_JSON],
    ids=_status,
)
async def test_a_write_that_was_answered_by_someone_else_is_undecided(
    behind: VaultClient, proxy: VaultFaultProxy, answer: Answer
) -> None:
    """It may have gone through before that answer was made."""
    with proxy.held(VaultFault(method="POST", answer=answer)), pytest.raises(VaultUndecided):
        await behind.write(NAME, FIELDS, cas=0)


@pytest.mark.parametrize(
    "fault",
    [VaultFault(method="POST", lose="reset"), VaultFault(method="POST", cut=True)],
    ids=["reset", "reset-in-mid-body"],
)
async def test_a_write_whose_answer_was_lost_is_undecided(
    behind: VaultClient, proxy: VaultFaultProxy, bare: House, fault: VaultFault
) -> None:
    """And here it has happened."""
    with proxy.held(fault), pytest.raises(VaultUndecided):
        await behind.write(NAME, FIELDS, cas=0)
    assert bare.in_vault() == (1, "", KEY)


@pytest.mark.parametrize(
    "fault", [VaultFault(lose="reset"), VaultFault(cut=True)], ids=["reset", "reset-in-mid-body"]
)
async def test_a_read_whose_answer_was_lost_is_unreachable(
    behind: VaultClient, proxy: VaultFaultProxy, fault: VaultFault
) -> None:
    """A read can be repeated."""
    with proxy.held(fault):
        assert await trouble_of_read(behind) == "unreachable"


async def test_a_delete_whose_answer_was_lost_is_undecided(
    behind: VaultClient, proxy: VaultFaultProxy, bare: House
) -> None:
    """And here it has happened."""
    bare.put(api_key=KEY)
    with proxy.held(VaultFault(method="DELETE", lose="reset")), pytest.raises(VaultUndecided):
        await behind.delete(NAME)
    assert bare.secret() is None


@pytest.mark.soak
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault", [VaultFault(hang=True), VaultFault(drip=0.1)], ids=["hang", "slow drip"]
)
async def test_a_call_without_end_is_given_up(
    behind: VaultClient, proxy: VaultFaultProxy, bare: House, fault: VaultFault
) -> None:
    """A read is unreachable then, and a write undecided."""
    bare.put(api_key=KEY)
    with proxy.held(fault):
        read, write = await asyncio.gather(
            behind.read(NAME), behind.write(NAME, FIELDS, cas=0), return_exceptions=True
        )
    assert (type(read), type(write)) == (VaultProblem, VaultUndecided)


async def test_a_redirect_is_not_followed(behind: VaultClient, proxy: VaultFaultProxy) -> None:
    """Neither the token nor the key reaches another origin."""
    with ForeignOrigin() as foreign, proxy.held(VaultFault(redirect=foreign.url)):
        troubles = {await trouble_of_read(behind), await trouble_of_write(behind)}
        assert (foreign.received, troubles) == ([], {"unreachable"})


async def test_a_read_that_lags_the_pin_is_repeated(house: House, proxy: VaultFaultProxy) -> None:
    """A standby that doesn't know of the pinned version yet is asked again."""
    async with member(house.boot()) as writer:
        await writer.set_key()
    proxy.put(VaultFault(where=DATA, stale=True, times=2))
    async with member(house.boot(proxy.url)) as reader:
        assert (reader.key, len(proxy.seen(DATA)) > 2) == (KEY, True)


async def test_an_older_version_is_never_adopted(house: House, proxy: VaultFaultProxy) -> None:
    """A standby that still shows the version before the pinned one changes nothing."""
    async with member(house.boot(proxy.url)) as reader:
        await reader.set_key()
        await reader.watch.poll()
        async with member(house.boot()) as writer:
            await writer.set_key(OTHER_KEY)
        with proxy.held(VaultFault(where=DATA, stale=True)):
            await reader.watch.poll()
        await reader.adoption.adopt()
        assert (reader.key, house.actions().count("llm.key.changed_in_vault")) == (OTHER_KEY, 0)


async def test_a_row_of_an_unknown_provider_asks_for_nothing(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Its name would be a path: nobody may lead the token elsewhere through the database."""
    await house.stored.executed(
        "INSERT INTO llm_provider_credentials "
        "(provider, origin, vault_version, operation_id, set_by, set_us) "
        "VALUES ('../../others', '', 1, 'x', 'x', 0)"
    )
    async with member(house.boot(proxy.url)):
        assert proxy.seen() == []
