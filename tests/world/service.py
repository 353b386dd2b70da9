"""The real service as a child process: a state folder of its own, a free port, a clean shell."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx
import jwt

from tests.world import patient
from tests.world.databases import DATABASES, Stored, bring_to_head
from tests.world.forked import Forked, run_program
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port

AURORASOC: Final = (sys.executable, "-m", "aurorasoc.cli")
SESSION_SECRET: Final = "session-secret-of-the-tests-0123456789abcdef"
SEED: Final = "seed-of-the-tests-fedcba9876543210-ghijkl"
API: Final = "/api/v1"
PROVIDERS: Final = "/system/llm/providers"
CONFIG: Final = "/system/llm/config"
CONNECTIONS: Final = "/system/llm/connections"
POLICY: Final = "/system/llm/policy"
POLICY_FIELDS: Final = (
    "hosted_max_tlp",
    "local_backend",
    "require_tlp",
    "fallbacks",
    "on_refusal",
)


class Service(ChildProcess):
    """`aurorasoc serve` on a migrated database; ready when `/readyz` answers.

    Nothing of the surrounding shell reaches it but PATH. Its state folder's database survives
    `restart`, and so does its address.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        *,
        ready: str = "/readyz",
        popen: type[subprocess.Popen[Any]] = Forked,
    ) -> None:
        """Describe the service, whose state and log go to `folder`; `variables` are its own.

        It runs in `folder`. `ready` is the path that answers 200 once it has started; `popen` is
        how it and its commands start: `subprocess.Popen` where the start itself is the subject.
        """
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.state_dir = folder / "state"
        self.env = service_env(self.state_dir, variables)
        self.folder = folder
        self._clients: dict[tuple[str, str], httpx.Client] = {}
        super().__init__(
            [*AURORASOC, "serve", "--port", str(self.port)],
            env=self.env,
            ready=f"{self.url}{ready}",
            log=folder / "service.log",
            cwd=folder,
            popen=popen,
        )

    @property
    def stored(self) -> Stored:
        """Its database, seen without it."""
        return Stored(self.env.get("AURORA_DATABASE_URL") or DATABASES.url(self.state_dir))

    @property
    def database(self) -> Path:
        """The embedded database's file."""
        return self.state_dir / "aurorasoc.db"

    def start(self) -> Self:
        """Migrate in this process, which is quicker than the command, then serve."""
        bring_to_head(self.stored)
        return self.resume()

    def restart(self) -> None:
        """Stop it as an operator does, and start it on the same state and address."""
        self.terminate()
        self.resume()

    def resume(self) -> Self:
        """Start it, once stopped, without migrating."""
        return super().start()

    def kill(self) -> int:
        """End it at once, and hang up on it; also the last step of `terminate`."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        return super().kill()

    def command(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another of its commands in the same environment."""
        argv = [*AURORASOC, *arguments]
        return run_program(argv, env=self.env, cwd=self.folder, stdin=stdin, popen=self._popen)

    def client(self, role: str = "admin", *, subject: str = "") -> httpx.Client:
        """Return the client of a role, below `/api/v1`; closed when the service ends."""
        who = (role, subject or f"test-{role}")
        if who not in self._clients:
            self._clients[who] = self.anonymous(bearer(token(role, subject=who[1])))
        return self._clients[who]

    def anonymous(self, headers: Mapping[str, str] | None = None) -> httpx.Client:
        """Return a new client without a token, below `/api/v1`; the caller closes it."""
        return patient.client(base_url=f"{self.url}{API}", headers=headers)

    def inventory(self) -> dict[str, Any]:
        """Return `GET /system/llm/providers`."""
        answer = self.client().get(PROVIDERS)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def row(self, connection: str) -> dict[str, Any]:
        """Return one connection's row of the inventory."""
        rows = self.inventory()["providers"]
        (row,) = (row for row in rows if row["connection"] == connection)
        return dict(row)

    def entries(self, **filters: str) -> list[dict[str, Any]]:
        """Return audit entries, newest first, filtered by actor or action."""
        answer = self.client().get("/audit", params=filters)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["entries"])

    def reset(self) -> None:
        """Go back to the boot defaults and policy, without stored keys, connections or ceilings."""
        self.client().delete(CONFIG)
        self.client().put(POLICY, json=dict.fromkeys(POLICY_FIELDS))
        for row in self.inventory()["providers"]:
            name = row["connection"]
            if row["source"] == "runtime":
                self.client().delete(f"{CONNECTIONS}/{name}")
            elif row["key_source"] == "database":
                self.client().delete(f"{PROVIDERS}/{name}/key")


def service_env(state_dir: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a whole environment for any command of the service, its database included."""
    defaults = {
        **DATABASES.variables(state_dir),
        "AURORA_STATE_DIR": str(state_dir),
        "JWT_SECRET_KEY": SESSION_SECRET,
        "AURORA_SECRET_KEY": SEED,
        "PYTHONUNBUFFERED": "1",
    }
    return bare_env(**defaults | dict(variables or {}))


def run_command(
    *arguments: str, env: Mapping[str, str], cwd: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `aurorasoc …` to its end, within two minutes."""
    return run_program([*AURORASOC, *arguments], env=env, cwd=cwd, stdin=stdin)


def token(
    role: str = "admin",
    *,
    subject: str = "test-admin",
    lifetime: timedelta = timedelta(hours=1),
    secret: str = SESSION_SECRET,
    algorithm: str = "HS256",
) -> str:
    """Sign a token as the platform's sign-in would: not with the service's own code."""
    claims = {"sub": subject, "roles": [role], "exp": datetime.now(UTC) + lifetime}
    return jwt.encode(claims, secret, algorithm=algorithm)


def bearer(text: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {text}"}


def asked(content: str = "ping", **fields: object) -> dict[str, object]:
    """Return the body of a chat with one message."""
    return {"messages": [{"role": "user", "content": content}], **fields}


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Read a whole event stream: each event's name and data (WHATWG HTML, §9.2)."""
    result = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and line[0] != ":")
        if fields:
            result.append((fields["event"], json.loads(fields["data"])))
    return result
