"""A real Vault (or OpenBao) as a child process, with what an operator does to one.

Which program it is: `AURORASOC_TEST_VAULT_BIN`, else `vault` or `bao` from PATH, else what
`make vault` built. A released server starts with a configuration file; ours takes flags.
"""

import functools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import httpx
import hvac

from tests.world import patient
from tests.world.certificates import CertificateAuthority, ServerCertificate
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port
from tests.world.programs import Program
from tests.world.vault.kubernetes import KubernetesApi

_NAMED: Final = "AURORASOC_TEST_VAULT_BIN"
_BUILD: Final = Path(__file__).parents[3] / "tools" / "vault" / "build.sh"
# Up means that it answers, in whatever state.
_HEALTH: Final = "/v1/sys/health"
_ANY_STATE: Final = {"uninitcode": "200", "sealedcode": "200", "standbycode": "200"}

_PATIENCE: Final = 60.0

Kind = Literal["ours", "released"]


@dataclass(frozen=True, slots=True)
class AppRole:
    """What a machine logs in with."""

    role_id: str
    secret_id: str


@functools.cache
def program_kind(program: Path) -> Kind | None:
    """Tell our own build from a released Vault or OpenBao, and both from anything else."""
    asked: list[str | Path] = [program, "version"]
    try:
        said = subprocess.run(
            asked, env=bare_env(), capture_output=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if said.stdout.startswith(b"aurorasoc test Vault"):
        return "ours"
    return "released" if said.stdout.startswith((b"Vault v", b"OpenBao v")) else None


def vault_binary() -> Path | None:
    """Find the server to test with; None when there is none.

    Raises:
        FileNotFoundError: `AURORASOC_TEST_VAULT_BIN` is set, but names no Vault.
    """
    named = os.environ.get(_NAMED)
    if named:
        if program_kind(Path(named)) is None:
            message = f"{_NAMED} must name a vault or bao server, and {named} is none"
            raise FileNotFoundError(message)
        return Path(named)
    on_path = (Path(path) for name in ("vault", "bao") if (path := shutil.which(name)))
    return next((path for path in (*on_path, _built()) if program_kind(path)), None)


def _built() -> Path:
    asked: list[str | Path] = ["bash", _BUILD, "--path"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


class VaultServer(ChildProcess):
    """A Vault on a free loopback port; its storage, log and address survive `restart`.

    It starts uninitialised. `open()` does what a first day takes: init, unseal, a KV mount.
    """

    def __init__(
        self, folder: Path, *, ca: CertificateAuthority | None = None, binary: Path | None = None
    ) -> None:
        """Describe the server, which keeps all it has in `folder`; with `ca` it speaks TLS."""
        program = binary or vault_binary()
        if program is None:
            raise FileNotFoundError(VAULT.missing)
        self.port = free_port()
        self.url = f"{'https' if ca else 'http'}://{LOOPBACK}:{self.port}"
        self.root_token = ""
        self.unseal_key = ""
        self._ca = ca
        self._http: httpx.Client | None = None
        self._clients: list[Any] = []
        certificate = ca.issue(LOOPBACK, "localhost") if ca else None
        start = _flags if program_kind(program) == "ours" else _configuration
        super().__init__(
            [program, *start(folder, self.port, certificate)],
            env=bare_env(),
            ready=self._answers,
            log=folder / "vault.log",
        )

    # --- its life --------------------------------------------------------------------------------

    def open(self, mount: str = "secret") -> Self:
        """Initialise, unseal, and mount KV version 2."""
        self.init()
        self.unseal()
        self.enable_kv(mount)
        return self

    def init(self) -> None:
        """Initialise with one key share; keeps `root_token` and `unseal_key`."""
        shares = {"secret_shares": 1, "secret_threshold": 1}
        made = self.call("PUT", "sys/init", shares)
        self.root_token, self.unseal_key = made["root_token"], made["keys"][0]

    def unseal(self) -> None:
        """Unseal, and wait until it is active."""
        self.call("PUT", "sys/unseal", {"key": self.unseal_key})
        self._eventually("GET", "sys/health")

    def seal(self) -> None:
        """Seal: every answer is 503 until `unseal`."""
        self.call("PUT", "sys/seal")

    def restart(self, *, unseal: bool = True) -> None:
        """Stop it as an operator does, and start it on the same storage and address."""
        self.terminate()
        self.start()
        if unseal:
            self.unseal()

    def mend(self) -> None:
        """Start it, or unseal it, if a test left it otherwise."""
        if self.returncode is not None:
            self.start()
        if not self.ask("GET", "sys/health").is_success:
            self.unseal()

    def stop(self) -> None:
        """Stop it as an operator does."""
        self.terminate()

    def kill(self) -> int:
        """End it at once, and hang up on it; also the last step of `terminate`."""
        if self._http is not None:
            self._http.close()
            self._http = None
        for client in self._clients:
            client.adapter.close()
        return super().kill()

    # --- talking to it ---------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> httpx.Response:
        """Ask `/v1/{path}`, as root unless `token` says otherwise, and take any answer."""
        if self._http is None:
            verify = self._ca.client_context() if self._ca else False
            self._http = patient.client(base_url=self.url, verify=verify)
        bearer = self.root_token if token is None else token
        headers = {"X-Vault-Token": bearer} if bearer else {}
        return self._http.request(method, f"/v1/{path}", json=body, headers=headers)

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask as root, and fail the test unless it was done."""
        answer = self.ask(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def client(self, token: str | None = None, *, url: str | None = None) -> Any:  # noqa: ANN401
        """Return an hvac client, as root unless `token` says otherwise; `url` may be a proxy's.

        Its connections are closed when the server ends.
        """
        bearer = self.root_token if token is None else token
        verify = str(self._ca.pem) if self._ca else True
        client = hvac.Client(
            url=url or self.url,
            token=bearer,
            verify=verify,
            timeout=_PATIENCE,
            allow_redirects=False,
        )
        client.adapter.session.trust_env = False  # no proxy, and no ~/.netrc, of the shell's
        self._clients.append(client)
        return client

    # --- what an operator sets up ----------------------------------------------------------------

    def enable_kv(self, mount: str = "secret") -> None:
        """Mount KV version 2 at `mount`."""
        self.call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
        self._eventually("GET", f"{mount}/config")  # 400 while it is being set up

    def put_secret(self, path: str, data: dict[str, str], mount: str = "secret") -> int:
        """Write a secret as `vault kv put` does, and return its version."""
        return int(self.call("POST", f"{mount}/data/{path}", {"data": data})["data"]["version"])

    def get_secret(self, path: str, mount: str = "secret") -> dict[str, Any]:
        """Read the newest version: its `data` and its `metadata`."""
        return dict(self.call("GET", f"{mount}/data/{path}")["data"])

    def write_policy(self, name: str, rules: str) -> None:
        """Write an ACL policy, in Vault's own language."""
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": rules})

    def token(self, *policies: str, ttl: str = "1h", **fields: object) -> str:
        """Create a token that bears `policies`; `fields` are Vault's own (`num_uses`, …)."""
        body = {"policies": policies, "ttl": ttl, "no_parent": True, **fields}
        return str(self.call("POST", "auth/token/create", body)["auth"]["client_token"])

    def shorten(self, token: str, seconds: int) -> None:
        """Let a token end this long from now, whatever time it was made with."""
        self.call("POST", "auth/token/renew", {"token": token, "increment": f"{seconds}s"})

    def revoke(self, token: str) -> None:
        """End a token before its time."""
        self.call("POST", "auth/token/revoke", {"token": token})

    def approle(self, name: str, *policies: str, ttl: str = "1h", **fields: object) -> AppRole:
        """Create an AppRole whose tokens live for `ttl`.

        `fields` are Vault's own: `token_max_ttl`, `secret_id_ttl`, `secret_id_num_uses`, …
        """
        self._enable_auth("approle")
        role = f"auth/approle/role/{name}"
        self.call("POST", role, {"token_policies": policies, "token_ttl": ttl, **fields})
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        return AppRole(role_id, self.call("POST", f"{role}/secret-id")["data"]["secret_id"])

    def kubernetes_role(
        self,
        name: str,
        *policies: str,
        api: KubernetesApi,
        account: str,
        namespace: str = "default",
        ttl: str = "1h",
    ) -> None:
        """Let a service account of `api`'s cluster log in under the role `name`."""
        self._enable_auth("kubernetes")
        cluster = {"kubernetes_host": api.url, "disable_local_ca_jwt": True}
        self.call("POST", "auth/kubernetes/config", cluster)
        role = {
            "bound_service_account_names": [account],
            "bound_service_account_namespaces": [namespace],
            "token_policies": policies,
            "token_ttl": ttl,
        }
        self.call("POST", f"auth/kubernetes/role/{name}", role)

    def _enable_auth(self, kind: str) -> None:
        if f"{kind}/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", f"sys/auth/{kind}", {"type": kind})

    def _answers(self) -> bool:
        try:
            health = f"{_HEALTH.removeprefix('/v1/')}?{httpx.QueryParams(_ANY_STATE)}"
            return self.ask("GET", health, token="").is_success
        except httpx.TransportError:
            return False

    def _eventually(self, method: str, path: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not self.ask(method, path).is_success and time.monotonic() < end:
            time.sleep(0.02)
        self.call(method, path)


def _flags(folder: Path, port: int, certificate: ServerCertificate | None) -> list[str | Path]:
    flags: list[str | Path] = ["-address", f"{LOOPBACK}:{port}", "-data", folder / "vault-data"]
    if certificate is not None:
        flags += ["-tls-cert", certificate.chain, "-tls-key", certificate.key]
    return flags


def _configuration(
    folder: Path, port: int, certificate: ServerCertificate | None
) -> list[str | Path]:
    """Write the configuration of a released server; its language takes JSON as well."""
    listener: dict[str, object] = {"address": f"{LOOPBACK}:{port}"}
    if certificate is None:
        listener["tls_disable"] = True
    else:
        listener |= {"tls_cert_file": str(certificate.chain), "tls_key_file": str(certificate.key)}
    settings = {
        "disable_mlock": True,
        "listener": {"tcp": listener},
        "storage": {"file": {"path": str(folder / "vault-data")}},
    }
    file = folder / "vault.json"
    file.write_text(json.dumps(settings), "utf-8")
    return ["server", "-config", file]


VAULT: Final = Program(
    tests="the tests on a real Vault",
    missing="no Vault to test with: run `make vault` once (about 4 minutes)",
    fixture="vault_program",
    find=vault_binary,
)
