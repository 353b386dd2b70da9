"""Logging: one JSON line per event, without keys; shown shortly where a person reads it.

Our loggers redact and render before the standard library sees the event, so a host platform's
handlers get safe lines too. `configure_logging` applies the same steps to the libraries' loggers,
in processes that run only this service. In a host, handlers and levels that aren't ours stay as the
host set them: the libraries' loggers only get a filter against keys and content.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog
from structlog.typing import Processor

from aurorasoc.config.log_form import JSON_LINES, LogForm
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.short_lines import ShortLines
from aurorasoc.core.telemetry.spans import trace_ids

ROOT: Final = "aurorasoc"

_LIBRARIES: Final = (
    "LiteLLM",
    "LiteLLM Proxy",
    "LiteLLM Router",
    "aiosqlite",
    "alembic",
    "asyncio",
    "beeai_framework",
    "httpcore",
    "httpx",
    "openai",
    "opentelemetry",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)

_FAMILIES: Final = frozenset(name.split(".")[0] for name in _LIBRARIES) - {"uvicorn"}
"""Loggers that are filtered, with those below them. The server's lines are the host's own."""

_WITH_CONTENT: Final = frozenset(
    {
        "LiteLLM",
        "LiteLLM Proxy",
        "LiteLLM Router",
        "aiosqlite",
        "beeai_framework",
        "httpcore",
        "openai",
    }
)
"""Loggers that write prompts, answers, headers or parameters of SQL at DEBUG."""

_WITH_PARAMETERS: Final = "aiosqlite"
"""Parameters may be keys that nobody stored, such as one in a filter of the audit log."""


def _add_trace(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add the ids of the span that a line is written in, if there is one."""
    event.update(trace_ids())
    return event


_BEFORE: Final[list[Processor]] = [
    _add_trace,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_AFTER: Final[list[Processor]] = [
    structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    ),
    REDACTOR,
    structlog.processors.JSONRenderer(),
]


def get_logger(name: str) -> Any:  # noqa: ANN401 - structlog's bound loggers are untyped by design
    """Return the logger of one concern.

    Args:
        name: Dotted name below `aurorasoc`.
    """
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, *_BEFORE, *_AFTER],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        context_class=dict,
        cache_logger_on_first_use=True,
    )


def configure_logging(form: LogForm = JSON_LINES, level: int = logging.INFO) -> None:
    """Write our logs and the libraries' to standard error.

    Args:
        form: JSON lines, or short ones for a person at a terminal.
        level: The lowest level of ours that is written.
    """
    ours = logging.getLogger(ROOT)
    ours.handlers[:] = [_handler(logging.Formatter("%(message)s"), form)]
    ours.setLevel(level)
    ours.propagate = False
    root = logging.getLogger()
    root.handlers[:] = [
        _handler(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[*_BEFORE, structlog.stdlib.ExtraAdder()],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_AFTER],
            ),
            form,
        )
    ]
    root.setLevel(logging.WARNING)
    quieten_libraries()


def write_short_to_a_terminal() -> None:
    """Show a person at a terminal what a command warns of in short lines; others get JSON.

    Commands that serve set their logs up themselves, by AURORA_LOG.
    """
    if sys.stderr.isatty():
        configure_logging(LogForm(short=True, colour=False), logging.WARNING)


def quieten_libraries() -> None:
    """Route the libraries' loggers to the root; some attach handlers when imported."""
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.WARNING)
    guard_libraries()


def guard_libraries() -> None:
    """Filter the libraries' loggers; nothing else about them changes."""
    for name in {*_WITH_CONTENT, *logging.root.manager.loggerDict}:
        if name.split(".")[0] in _FAMILIES:
            logging.getLogger(name).addFilter(_guarded)  # adding it twice has no effect


@contextmanager
def loggers_kept() -> Iterator[None]:
    """Undo what libraries do to loggers while they are imported.

    What was there keeps its level, handlers and filters, and where it leads to. What comes with
    them loses its handlers, which would write past everybody's configuration.
    """
    before = {name: _state(logger) for name, logger in _loggers()}
    try:
        yield
    finally:
        for name, logger in _loggers():
            level, propagate, handlers, filters = before.get(name, (logger.level, True, [], []))
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers[:], logger.filters[:] = handlers, filters
        guard_libraries()


def _loggers() -> list[tuple[str, logging.Logger]]:
    """Return those that the libraries touch: a host may set others up meanwhile."""
    families = _FAMILIES | {"apscheduler", "backoff", "uvicorn"}
    known = list(logging.root.manager.loggerDict.items())
    return [
        (name, logger)
        for name, logger in known
        if isinstance(logger, logging.Logger) and name.split(".")[0] in families
    ]


def _state(logger: logging.Logger) -> tuple[int, bool, list[logging.Handler], list[Any]]:
    return logger.level, logger.propagate, list(logger.handlers), list(logger.filters)


def _guarded(record: logging.LogRecord) -> bool:
    """Redact a library's record; drop one with content unless a host asked for this logger's."""
    if record.levelno < logging.INFO and not _is_wanted(record.name):
        return False
    text = record.getMessage()
    redacted = REDACTOR.text(text)
    if redacted != text:
        record.msg, record.args = redacted, ()
    if record.exc_info:
        record.exc_text = REDACTOR.text(logging.Formatter().formatException(record.exc_info))
        record.exc_info = None
    return True


def _is_wanted(name: str) -> bool:
    """Whether a logger doesn't write content, or has a level of its own, not only the root's."""
    if name.split(".", maxsplit=1)[0] not in _WITH_CONTENT:
        return True
    if name == _WITH_PARAMETERS:
        return False
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None and logger is not logging.root:
        if logger.level != logging.NOTSET:
            return True
        logger = logger.parent
    return False


def _handler(formatter: logging.Formatter, form: LogForm) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    if form.short:
        formatter = ShortLines(formatter, colour=form.colour and sys.stderr.isatty())
    handler.setFormatter(formatter)
    return handler
