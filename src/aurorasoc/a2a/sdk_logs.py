"""Log the A2A SDK's records without their content.

They hold tracebacks with parts of messages, and ids that clients chose (a2a-sdk 1.3.0). Labelled
data must not get into a log that way.
"""

from __future__ import annotations

import logging
from typing import Final

from aurorasoc.core.logs import get_logger

LIBRARY: Final = "a2a"

log = get_logger("aurorasoc.a2a")


class _WithoutContent(logging.Handler):
    """Logs each record's source, level and exception, but not its content."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write our own line instead."""
        error = record.exc_info[0] if record.exc_info else None
        log.warning(
            "the A2A library reported something",
            source=record.name,
            level=record.levelname,
            error=None if error is None else error.__name__,
        )


def silence_sdk_logs() -> None:
    """Take over the SDK's loggers; a second call changes nothing."""
    logger = logging.getLogger(LIBRARY)
    logger.handlers[:] = [_WithoutContent()]
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(f"{LIBRARY}."):
            child = logging.getLogger(name)
            child.handlers.clear()
            child.setLevel(logging.NOTSET)
            child.propagate = True
