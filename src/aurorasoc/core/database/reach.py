"""Why a database can't be reached, in one sentence that says what to do.

The driver's text may hold an address, and PostgreSQL's has no SQLSTATE where no connection was
made. So the text is recognised here, and never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NOTHING_LISTENS: Final = (
    "Nothing listens at the host and port of AURORA_DATABASE_URL. Start the database server, or "
    "correct the address."
)
NO_FILE: Final = (
    "The database's file can't be opened or created. Check that its folder (AURORA_STATE_DIR, or "
    "the one in AURORA_DATABASE_URL) exists and belongs to this user."
)
_UNKNOWN: Final = (
    "The database refuses the connection. Check AURORA_DATABASE_URL, and see the log of the server."
)
_CURES: Final[Mapping[str, str]] = {
    r'FATAL:\s+database ".*" does not exist': (
        "The server has no database of the name in AURORA_DATABASE_URL. Create it, or correct "
        "the name."
    ),
    r"permission denied for database": (
        "The role in AURORA_DATABASE_URL may not connect to this database. Run as the owner of "
        "the database: GRANT CONNECT ON DATABASE …"
    ),
    (
        r'password authentication failed|no password supplied|FATAL:\s+role ".*" does not exist'
        r"|not permitted to log in|authentication failed"
    ): (
        "The server refuses the user or the password in AURORA_DATABASE_URL. Correct them; a "
        "password's @ : / % are written %40 %3A %2F %25."
    ),
    r"no pg_hba\.conf entry|rejects connection": (
        "The server's pg_hba.conf doesn't let this role, from this host, into this database; "
        "perhaps it asks for TLS (sslmode). Add an entry there, or correct AURORA_DATABASE_URL."
    ),
    r"failed to resolve host|could not translate host name": (
        "The host in AURORA_DATABASE_URL can't be resolved. Correct its name, or the DNS of "
        "this machine."
    ),
    r"Connection refused|No such file or directory": _NOTHING_LISTENS,
    r"timeout|timed out|unreachable|No route to host": (
        "The host in AURORA_DATABASE_URL doesn't answer. Check the address, and firewalls on "
        "the way."
    ),
    r"SSL|certificate": (
        "No TLS connection to the database can be made as AURORA_DATABASE_URL asks for it. "
        "Check sslmode and sslrootcert there, and the server's certificate."
    ),
    r"too many clients|remaining connection slots|too many connections": (
        "The database server has no free connection. Raise its max_connections, or use a pooler."
    ),
    r"starting up|shutting down|recovery": (
        "The database server is starting or stopping. Try again soon."
    ),
    r"unable to open database file": NO_FILE,
    r"not a database|malformed": (
        "The database's file holds something else than a SQLite database, or is damaged. "
        "Restore it, or set AURORA_DATABASE_URL or AURORA_STATE_DIR to another place."
    ),
    r"readonly|read-only": (
        "The database's file can't be written. Check the owner and the mode of the file and of "
        "its folder."
    ),
    r"locked|busy": ("Another program holds the database's file locked. End that program."),
}
"""What to do, by a pattern in the text of libpq, PostgreSQL or SQLite; the first that fits."""


def why_unreachable(failure: BaseException) -> str:
    """Return what to do about a driver's failure to connect."""
    return known_cure(failure) or _UNKNOWN


def known_cure(failure: BaseException) -> str | None:
    """Return what to do about a failure; None if its text isn't known."""
    text = str(failure)
    for pattern, sentence in _CURES.items():
        if re.search(pattern, text, re.IGNORECASE):
            return sentence
    return _NOTHING_LISTENS if isinstance(failure, ConnectionError) else None
