"""The secrets that the boot brings: none of them may be logged, and one is worth a warning."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import make_url

from aurorasoc.config.settings import Settings
from aurorasoc.core.logs import get_logger
from aurorasoc.core.redaction import REDACTOR

log = get_logger("aurorasoc.runtime")


def warn_of_shared_seed(settings: Settings) -> None:
    """Warn that stored keys depend on the session secret."""
    if settings.security.secret_key is None and settings.security.jwt_secret_key is not None:
        log.warning(
            "AURORA_SECRET_KEY is not set, so stored keys are sealed under JWT_SECRET_KEY: "
            "rotating the session secret makes them unreadable, and agent processes must be "
            "handed it"
        )


def learn_secrets(settings: Settings) -> None:
    """Register all secrets with the log redaction."""
    vault, database = settings.vault, settings.database
    secrets = [
        *settings.security.seeds,
        *(provider.api_key for provider in settings.connections.values()),
        vault.token,
        vault.secret_id,
    ]
    REDACTOR.learn(secret.get_secret_value() for secret in secrets if secret is not None)
    REDACTOR.learn(settings.telemetry.secrets())
    REDACTOR.learn(p for url in (database.url, database.feed_url) if url for p in _passwords(url))


def _passwords(database_url: str) -> Iterator[str]:
    """Yield the passwords in an address: before the host, and among its options."""
    address = make_url(database_url)
    options = (address.query.get(name) for name in ("password", "sslpassword"))
    yield from (value for value in (address.password, *options) if isinstance(value, str))
