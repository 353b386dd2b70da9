"""A real PostgreSQL, from the programs that the wheel `pgserver` brings.

Only they are used: the package's own code opens every folder above its data to everyone, and
can't be stopped and started again on the same port, as an operator does.
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

import psycopg
import pytest
from psycopg import sql

from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port

_PACKAGE: Final = importlib.util.find_spec("pgserver")
_SUPERUSER: Final = "postgres"
_UNPRIVILEGED: Final = "nobody"  # PostgreSQL refuses to run as root
_DISK: Final = "/var/tmp" if Path("/var/tmp").is_dir() else None  # noqa: S108 - a new folder there
"""A run's databases are a gigabyte, too much for memory, and never wait for the disk (`fsync`)."""

PARAMETERS: Final = {
    "fsync": "off",  # the machine doesn't lose power during a test
    "max_connections": "300",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


class PostgreSQL(ChildProcess):
    """One server on a loopback port, for as many databases as are asked for.

    Its data and its port survive `terminate`, `kill` and `start`. Anyone who reaches the port
    is let in: roles are the tests' own matter.
    """

    def __init__(self, **parameters: str) -> None:
        """Make the server's folder; `parameters` are PostgreSQL's own, over `PARAMETERS`."""
        if _PACKAGE is None:
            pytest.skip("pgserver has no wheel for this Python: no PostgreSQL to test on")
        self._home = tempfile.TemporaryDirectory(prefix="aurorasoc-postgresql-", dir=_DISK)
        self._numbers = itertools.count(1)
        folder, self.port = Path(self._home.name), free_port()
        self._account = _account(folder)
        self._programs = _programs(folder)
        self._data = folder / "data"
        settings = PARAMETERS | parameters | {"listen_addresses": LOOPBACK}
        super().__init__(
            [
                *(self._programs / "postgres", "-D", self._data, "-p", str(self.port)),
                *("-k", ""),  # no socket file
                *(part for name in settings for part in ("-c", f"{name}={settings[name]}")),
            ],
            env=bare_env(),
            ready=self._answers,
            log=folder / "server.log",
            cwd=folder,
            user=self._account,
        )

    def __exit__(self, *_: object) -> None:
        """Stop it, and remove its folder."""
        super().__exit__()
        self._home.cleanup()

    def start(self) -> Self:
        """Start it on what it holds; at first on an empty cluster."""
        if not self._data.exists():
            self._initialise()
        return super().start()

    def terminate(self, patience: float = 60.0) -> int:
        """Stop it as an operator does: connections are closed, nothing committed is lost."""
        self._signal(
            signal.SIGINT
        )  # "fast", https://www.postgresql.org/docs/16/server-shutdown.html
        return super().terminate(patience)

    def url(self, database: str = _SUPERUSER, *, user: str = _SUPERUSER, port: int = 0) -> str:
        """Return a database's address; `port` is that of a proxy in front of the server."""
        return f"postgresql://{user}@{LOOPBACK}:{port or self.port}/{database}"

    def create(self, template: str = "template0", *, encoding: str = "UTF8") -> str:
        """Create a database that nobody used before, and give its address."""
        name = f"aurorasoc_{next(self._numbers)}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {} LOCALE 'C'").format(
                sql.Identifier(name), sql.Identifier(template), sql.Literal(encoding)
            )
        )
        return self.url(name)

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Run one statement as the superuser, outside any transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _initialise(self) -> None:
        subprocess.run(
            [
                *(self._programs / "initdb", "--pgdata", self._data, "--username", _SUPERUSER),
                *("--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
                *("--no-sync", "--no-instructions"),
            ],
            check=True,
            capture_output=True,
            cwd=self._data.parent,
            env=bare_env(),
            timeout=60,
            user=self._account,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _account(folder: Path) -> str | None:
    """Choose who runs it, and make the folder theirs; None is whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam(_UNPRIVILEGED)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return _UNPRIVILEGED


def _programs(folder: Path) -> Path:
    """Find the programs; root's own may be out of others' reach, so those are copied."""
    assert _PACKAGE is not None
    assert _PACKAGE.origin is not None
    package = Path(_PACKAGE.origin).parent
    if os.geteuid() == 0:
        for part in ("pgserver", "pgserver.libs"):  # the programs find their libraries beside them
            shutil.copytree(package.parent / part, folder / part)
        package = folder / "pgserver"
    return package / "pginstall" / "bin"
