"""The Vault of the tests behaves as Vault's documentation says, and as the service relies on."""

import time
from pathlib import Path

import httpx
import pytest

from tests.world import patient
from tests.world.certificates import CertificateAuthority
from tests.world.vault.kubernetes import KubernetesApi
from tests.world.vault.server import VaultServer

PATIENCE = 60.0
READ_ONLY = 'path "secret/data/tests/*" { capabilities = ["read"] }'


def write(vault: VaultServer, path: str, cas: int) -> httpx.Response:
    """Write a secret with check-and-set."""
    body = {"data": {"api_key": "made-up"}, "options": {"cas": cas}}
    return vault.ask("POST", f"secret/data/{path}", body)


def errors(answer: httpx.Response) -> str:
    """Return what the answer says is wrong."""
    return "; ".join(answer.json()["errors"])


# --- its states --------------------------------------------------------------------------------


def test_a_new_vault_is_initialised_then_unsealed(vault_program: Path, tmp_path: Path) -> None:
    """Health is 501 before `init`, 503 after it, and 200 after `unseal`."""
    with VaultServer(tmp_path, binary=vault_program) as new:
        states = [new.ask("GET", "sys/health").status_code]
        for step in (new.init, new.unseal):
            step()
            states.append(new.ask("GET", "sys/health").status_code)
    assert states == [501, 503, 200]


def test_a_sealed_vault_answers_503_to_a_read(vault: VaultServer) -> None:
    """Sealing takes the secrets away."""
    vault.put_secret("tests/sealed", {"api_key": "made-up"})
    vault.seal()
    answer = vault.ask("GET", "secret/data/tests/sealed")
    assert (answer.status_code, errors(answer)) == (503, "Vault is sealed")


def test_secrets_survive_sealing(vault: VaultServer) -> None:
    """Unsealing gives them back."""
    vault.put_secret("tests/sealed", {"api_key": "made-up"})
    vault.seal()
    vault.unseal()
    assert vault.get_secret("tests/sealed")["data"] == {"api_key": "made-up"}


def test_secrets_survive_a_restart(vault: VaultServer) -> None:
    """What was written is there after the process ended and another began."""
    vault.put_secret("tests/kept", {"api_key": "made-up"})
    vault.restart()
    assert vault.get_secret("tests/kept")["data"] == {"api_key": "made-up"}


def test_secrets_survive_a_kill(vault: VaultServer) -> None:
    """An acknowledged write is on disk."""
    vault.put_secret("tests/kept", {"api_key": "made-up"})
    vault.kill()
    vault.start()
    vault.unseal()
    assert vault.get_secret("tests/kept")["data"] == {"api_key": "made-up"}


def test_a_restarted_vault_is_sealed(vault: VaultServer) -> None:
    """The key to the storage does not outlive the process."""
    vault.restart(unseal=False)
    assert vault.ask("GET", "sys/health").status_code == 503


def test_a_stopped_vault_refuses_connections(vault: VaultServer) -> None:
    """Nothing else has taken its port."""
    vault.stop()
    with pytest.raises(httpx.ConnectError):
        vault.ask("GET", "sys/health")


def test_sigterm_ends_it_in_good_order(vault: VaultServer) -> None:
    """It seals, and leaves with status 0."""
    assert vault.terminate() == 0


# --- KV version 2 ------------------------------------------------------------------------------


def test_versions_begin_at_one_and_count_up(shared_vault: VaultServer) -> None:
    """Each write is a version of its own."""
    versions = [shared_vault.put_secret("tests/versions", {"n": str(n)}) for n in range(3)]
    assert versions == [1, 2, 3]


def test_an_older_version_reads_as_it_was(shared_vault: VaultServer) -> None:
    """A pinned version is not changed by the ones after it."""
    for n in range(2):
        shared_vault.put_secret("tests/pinned", {"n": str(n)})
    read = shared_vault.call("GET", "secret/data/tests/pinned?version=1")
    assert read["data"]["data"] == {"n": "0"}


def test_a_check_and_set_mismatch_is_a_400_that_says_so(shared_vault: VaultServer) -> None:
    """Who writes on top of what they have not seen is refused."""
    write(shared_vault, "tests/cas", 0)
    answer = write(shared_vault, "tests/cas", 0)
    assert answer.status_code == 400
    assert "check-and-set parameter did not match" in errors(answer)


def test_a_secret_that_never_existed_is_a_404_without_errors(shared_vault: VaultServer) -> None:
    """The first of the three kinds of 404."""
    answer = shared_vault.ask("GET", "secret/data/tests/never")
    assert (answer.status_code, answer.json()) == (404, {"errors": []})


def test_a_soft_deleted_secret_is_a_404_with_metadata(shared_vault: VaultServer) -> None:
    """The second kind of 404 tells when it was deleted."""
    shared_vault.put_secret("tests/deleted", {"api_key": "made-up"})
    shared_vault.call("DELETE", "secret/data/tests/deleted")
    answer = shared_vault.ask("GET", "secret/data/tests/deleted")
    assert answer.status_code == 404
    assert answer.json()["data"]["metadata"]["deletion_time"]


def test_a_destroyed_version_is_a_404_without_a_deletion_time(shared_vault: VaultServer) -> None:
    """Destroyed without being deleted first: only the flag in the metadata tells."""
    shared_vault.put_secret("tests/destroyed", {"api_key": "made-up"})
    shared_vault.call("POST", "secret/destroy/tests/destroyed", {"versions": [1]})
    answer = shared_vault.ask("GET", "secret/data/tests/destroyed")
    metadata = answer.json()["data"]["metadata"]
    assert (answer.status_code, metadata["destroyed"], metadata["deletion_time"]) == (404, True, "")


def test_a_missing_mount_is_a_404_that_names_it(shared_vault: VaultServer) -> None:
    """The third kind of 404 never means that a key is absent."""
    answer = shared_vault.ask("GET", "nowhere/data/tests/x")
    assert answer.status_code == 404
    assert "nowhere/data/tests/x" in errors(answer)


def test_a_soft_deleted_secret_wants_its_current_version_as_cas(shared_vault: VaultServer) -> None:
    """Zero means that nothing was ever there."""
    shared_vault.put_secret("tests/again", {"api_key": "made-up"})
    shared_vault.call("DELETE", "secret/data/tests/again")
    answers = [write(shared_vault, "tests/again", cas).status_code for cas in (0, 1)]
    assert answers == [400, 200]


def test_versions_begin_again_after_the_metadata_is_deleted(shared_vault: VaultServer) -> None:
    """A secret that was removed for good has no memory of its versions."""
    for _ in range(2):
        shared_vault.put_secret("tests/removed", {"api_key": "made-up"})
    shared_vault.call("DELETE", "secret/metadata/tests/removed")
    assert shared_vault.put_secret("tests/removed", {"api_key": "made-up"}) == 1


def test_hvac_reads_what_was_written(shared_vault: VaultServer) -> None:
    """The client library that the service uses understands this server."""
    shared_vault.put_secret("tests/hvac", {"api_key": "made-up"})
    read = shared_vault.client().secrets.kv.v2.read_secret_version(
        "tests/hvac", raise_on_deleted_version=False
    )
    assert read["data"]["data"] == {"api_key": "made-up"}


# --- tokens, policies, logins ------------------------------------------------------------------


def test_a_policy_grants_what_it_names(shared_vault: VaultServer) -> None:
    """A read below the path is allowed."""
    shared_vault.put_secret("tests/policy", {"api_key": "made-up"})
    shared_vault.write_policy("read-only", READ_ONLY)
    token = shared_vault.token("read-only")
    assert shared_vault.ask("GET", "secret/data/tests/policy", token=token).status_code == 200


def test_a_policy_denies_what_it_does_not_name(shared_vault: VaultServer) -> None:
    """A write below the same path is not allowed."""
    shared_vault.write_policy("read-only", READ_ONLY)
    token = shared_vault.token("read-only")
    answer = shared_vault.ask("POST", "secret/data/tests/policy", {"data": {}}, token=token)
    assert answer.status_code == 403


def test_a_revoked_token_is_refused(shared_vault: VaultServer) -> None:
    """Revocation ends it before its time."""
    token = shared_vault.token("default")
    shared_vault.revoke(token)
    assert shared_vault.ask("GET", "auth/token/lookup-self", token=token).status_code == 403


def test_an_approle_token_is_refused_after_its_time(shared_vault: VaultServer) -> None:
    """The answer is 403 from then on."""
    role = shared_vault.approle("brief", "default")
    client = shared_vault.client("")
    client.auth.approle.login(role.role_id, role.secret_id)
    before = shared_vault.ask("GET", "auth/token/lookup-self", token=client.token).status_code
    shared_vault.shorten(client.token, 1)
    end = time.monotonic() + PATIENCE
    while shared_vault.ask("GET", "auth/token/lookup-self", token=client.token).is_success:
        assert time.monotonic() < end, "it doesn't end"
        time.sleep(0.02)
    after = shared_vault.ask("GET", "auth/token/lookup-self", token=client.token).status_code
    assert (before, after) == (200, 403)


def test_a_secret_id_can_be_used_up(shared_vault: VaultServer) -> None:
    """The second login with a secret id for one use is refused."""
    role = shared_vault.approle("once", "default", secret_id_num_uses=1)
    login = {"role_id": role.role_id, "secret_id": role.secret_id}
    answers = [shared_vault.ask("POST", "auth/approle/login", login, token="") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]


def test_a_service_account_logs_in_under_its_role(shared_vault: VaultServer) -> None:
    """Vault asks the cluster about the very token that the pod presented."""
    with KubernetesApi() as api:
        shared_vault.kubernetes_role("pods", "default", api=api, account="aurorasoc")
        pod = api.issue("aurorasoc")
        login = {"role": "pods", "jwt": pod}
        answer = shared_vault.ask("POST", "auth/kubernetes/login", login, token="")
        assert (answer.status_code, api.reviewed) == (200, [pod])


def test_another_service_account_is_refused(shared_vault: VaultServer) -> None:
    """A role is bound to its account."""
    with KubernetesApi() as api:
        shared_vault.kubernetes_role("pods", "default", api=api, account="aurorasoc")
        login = {"role": "pods", "jwt": api.issue("somebody-else")}
        answer = shared_vault.ask("POST", "auth/kubernetes/login", login, token="")
        assert answer.status_code == 403


def test_a_service_account_that_the_cluster_disowns_is_refused(shared_vault: VaultServer) -> None:
    """The cluster's word counts, not the token's own claims."""
    with KubernetesApi() as api:
        shared_vault.kubernetes_role("pods", "default", api=api, account="aurorasoc")
        pod = api.issue("aurorasoc")
        api.withdraw(pod)
        login = {"role": "pods", "jwt": pod}
        answer = shared_vault.ask("POST", "auth/kubernetes/login", login, token="")
        assert answer.status_code == 403


# --- TLS ---------------------------------------------------------------------------------------


def test_it_speaks_tls_with_a_certificate_of_the_test_authority(
    vault_program: Path, tmp_path: Path, ca: CertificateAuthority
) -> None:
    """Who trusts the authority is served."""
    with VaultServer(tmp_path, ca=ca, binary=vault_program) as vault:
        assert vault.open().ask("GET", "sys/health").status_code == 200


def test_its_certificate_is_refused_by_who_trusts_another_authority(
    vault_program: Path, tmp_path: Path, ca: CertificateAuthority
) -> None:
    """TLS is verified in tests exactly as in production."""
    folder = tmp_path / "other"
    folder.mkdir()
    stranger = CertificateAuthority(folder).client_context()
    with (
        VaultServer(tmp_path, ca=ca, binary=vault_program) as vault,
        patient.client(verify=stranger) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(f"{vault.url}/v1/sys/health")
