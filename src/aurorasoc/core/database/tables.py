"""The stored rows. Migrations 027 to 045 create them; times are microseconds, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of this service."""


class AuditRow(Base):
    """One audit entry: the canonical text that is hashed, and columns to filter by."""

    __tablename__ = "user_audit_log"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(BigInteger, index=True)
    actor: Mapped[str] = mapped_column(String(255), index=True)
    action: Mapped[str] = mapped_column(String(64), index=True)
    target: Mapped[str] = mapped_column(String(255))
    entry: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))
    mac_key_id: Mapped[str] = mapped_column(String(16))


class AuditKeyRow(Base):
    """A random key that authenticates audit entries, wrapped under a seed."""

    __tablename__ = "user_audit_keys"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    token: Mapped[str] = mapped_column(Text)
    created_us: Mapped[int] = mapped_column(BigInteger)


class CredentialRow(Base):
    """A connection's stored key. With Vault the token is null and the row pins a version."""

    __tablename__ = "llm_provider_credentials"

    connection: Mapped[str] = mapped_column("provider", String(32), primary_key=True)
    origin: Mapped[str] = mapped_column(String(300))
    token: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str | None] = mapped_column(String(16))
    last4: Mapped[str | None] = mapped_column(String(4))
    vault_version: Mapped[int | None] = mapped_column(BigInteger)
    operation_id: Mapped[str] = mapped_column(String(36))
    set_by: Mapped[str] = mapped_column(String(255))
    set_us: Mapped[int] = mapped_column(BigInteger)


class RuntimeConfigRow(Base):
    """The one row (`id` 1) that holds the revision, the active choice and the policy.

    Null means: the boot default. `fallbacks` lists names, comma-separated; empty means none.
    `hosted_since` is ISO 8601, as it is shown. `budgets` is JSON: a list of limits.
    """

    __tablename__ = "llm_runtime_config"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    backend: Mapped[str | None] = mapped_column(String(32))
    hosted_max_tlp: Mapped[str | None] = mapped_column(String(16))
    local_backend: Mapped[str | None] = mapped_column(String(32))
    require_tlp: Mapped[bool | None] = mapped_column(Boolean)
    assignments: Mapped[str | None] = mapped_column(Text)
    fallbacks: Mapped[str | None] = mapped_column(String(300))
    on_refusal: Mapped[str | None] = mapped_column(String(16))
    hosted_state: Mapped[str | None] = mapped_column(String(16))
    hosted_since: Mapped[str | None] = mapped_column(String(32))
    hosted_by: Mapped[str | None] = mapped_column(String(255))
    hosted_reason: Mapped[str | None] = mapped_column(String(500))
    budgets: Mapped[str | None] = mapped_column(Text)


class ConnectionRow(Base):
    """What was set at runtime for one connection. Null means: the boot default.

    `kind` is the provider of a named one; a built-in connection leads to the one it is named for.
    `from_env` marks one that an environment declares.
    """

    __tablename__ = "llm_provider_config"

    connection: Mapped[str] = mapped_column("provider", String(32), primary_key=True)
    provider: Mapped[str | None] = mapped_column("kind", String(32))
    model: Mapped[str | None] = mapped_column(String(255))
    orchestrator_model: Mapped[str | None] = mapped_column(String(255))
    base_url: Mapped[str | None] = mapped_column(String(2048))
    max_tlp: Mapped[str | None] = mapped_column(String(16))
    options: Mapped[str | None] = mapped_column(Text)
    from_env: Mapped[bool | None] = mapped_column(Boolean)


class RevisionRow(Base):
    """What one revision was: who, when, and the runtime configuration after it, never a key."""

    __tablename__ = "llm_revisions"

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(255))
    config: Mapped[str] = mapped_column(Text)


class KeyIntentRow(Base):
    """A key change in progress in a store outside the database: at most one per connection.

    It never contains the key: `tag` shows whether a repeated request has the same one.
    `activation` is what `PUT /config` will activate together with the key.
    """

    __tablename__ = "llm_key_intents"

    connection: Mapped[str] = mapped_column("provider", String(32), primary_key=True)
    operation_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(8))
    origin: Mapped[str] = mapped_column(String(300))
    last4: Mapped[str | None] = mapped_column(String(4))
    tag: Mapped[str] = mapped_column(String(16))
    activation: Mapped[str | None] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(255))
    begun_us: Mapped[int] = mapped_column(BigInteger)


class InstanceRow(Base):
    """A process of the fleet, what it runs, and when it last reported.

    `key_ids` lists the ids of its seeds, comma-separated. `keys_sent` is JSON: when it last sent
    each key, in microseconds, by the key's tag. `health` is JSON: how its calls ended. `hindrances`
    is JSON: what keeps it from calling the connections in use. `settings` is JSON: a digest of each
    setting that it runs, read only where its fingerprint is another. `hosted_us` is when it last
    exchanged a byte with a hosted provider.
    """

    __tablename__ = "llm_instances"

    instance: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(255))
    host: Mapped[str] = mapped_column(String(255))
    revision: Mapped[int] = mapped_column(BigInteger)
    fingerprint: Mapped[str] = mapped_column(String(64))
    backend: Mapped[str | None] = mapped_column(String(32))
    model: Mapped[str | None] = mapped_column(String(255))
    adopted_us: Mapped[int] = mapped_column(BigInteger)
    feed: Mapped[str] = mapped_column(String(16))
    key_ids: Mapped[str] = mapped_column(Text)
    keys_sent: Mapped[str | None] = mapped_column(Text)
    health: Mapped[str | None] = mapped_column(Text)
    hindrances: Mapped[str | None] = mapped_column(Text)
    settings: Mapped[str | None] = mapped_column(Text, deferred=True)
    hosted_stopped: Mapped[bool | None] = mapped_column(Boolean)
    hosted_us: Mapped[int | None] = mapped_column(BigInteger)
    seen_us: Mapped[int] = mapped_column(BigInteger)


class LearnedRow(Base):
    """What was learnt of one model by asking it: what it refuses, and what a test found.

    `refused` lists names, comma-separated, and `thinks_untagged` if the model leaves out the tag
    before its thoughts; `capabilities` is JSON.
    """

    __tablename__ = "llm_learned"

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    origin: Mapped[str] = mapped_column(String(300), primary_key=True)
    model: Mapped[str] = mapped_column(String(255), primary_key=True)
    refused: Mapped[str] = mapped_column(Text)
    capabilities: Mapped[str | None] = mapped_column(Text)
    learned_us: Mapped[int] = mapped_column(BigInteger)


class ClientRow(Base):
    """A machine client. Its secret isn't here: `digest` is a keyed hash of it.

    `token` is the hash's key, sealed under a seed. `mac` authenticates the row under that key, all
    but `token` and `last_used_us`. Times are ISO 8601, as they are shown; `budget` is JSON.
    """

    __tablename__ = "llm_clients"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    secret_at: Mapped[str] = mapped_column(String(32))
    old_digest: Mapped[str | None] = mapped_column(String(64))
    old_until: Mapped[str | None] = mapped_column(String(32))
    max_tlp: Mapped[str | None] = mapped_column(String(16))
    expires_at: Mapped[str | None] = mapped_column(String(32))
    budget: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))
    created_by: Mapped[str] = mapped_column(String(255))
    mac: Mapped[str] = mapped_column(String(64))
    last_used_us: Mapped[int | None] = mapped_column(BigInteger, deferred=True)


class UsageRow(Base):
    """What one process counted in one hour for one way of calling. Empty names stand for none.

    `key` is drawn by the process that alone writes the row: it writes sums, so that writing them
    twice changes nothing. `agent` is the agent's name, or the role.
    """

    __tablename__ = "llm_usage"

    hour_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    connection: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(255))
    agent: Mapped[str] = mapped_column(String(64))
    client: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(255))
    tlp: Mapped[str] = mapped_column(String(16))
    calls: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    abandoned: Mapped[int] = mapped_column(BigInteger)
    counted: Mapped[int] = mapped_column(BigInteger)
    uncounted: Mapped[int] = mapped_column(BigInteger)
    priced: Mapped[int] = mapped_column(BigInteger)
    unpriced: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_counted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    thought_tokens: Mapped[int] = mapped_column(BigInteger)
    thoughts_counted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    micro_dollars: Mapped[int] = mapped_column(BigInteger)
    sent: Mapped[int] = mapped_column(BigInteger)
    failed_attempts: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int] = mapped_column(BigInteger)
    streams: Mapped[int] = mapped_column(BigInteger)
    first_piece_milliseconds: Mapped[int] = mapped_column(BigInteger)


class SpendingRow(Base):
    """What a scope spent in a period, and what is reserved for its calls under way.

    `scope` is as in a limit. `period` is a day or a month of UTC, such as 2026-11-28 or 2026-11.
    Money is in micro-USD.
    """

    __tablename__ = "llm_spending"

    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    spent_tokens: Mapped[int] = mapped_column(BigInteger)
    spent_micros: Mapped[int] = mapped_column(BigInteger)
    reserved_tokens: Mapped[int] = mapped_column(BigInteger)
    reserved_micros: Mapped[int] = mapped_column(BigInteger)


class ReservationRow(Base):
    """What one transmission may cost a scope at most, until it is known what it did cost.

    After `expires_us` it counts as spent: its process was killed.
    """

    __tablename__ = "llm_reservations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger)
    micros: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)


class InvestigationRow(Base):
    """An investigation. One process holds its lease while it is queued or running.

    `alert`, `report` and `failure` are JSON. `number` is the order of creation. `interrupted` is
    never stored: it follows from an expired lease.
    """

    __tablename__ = "llm_investigations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    created_us: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(String(200))
    tlp: Mapped[str | None] = mapped_column(String(16))
    alert: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    lease: Mapped[str] = mapped_column(String(36))
    lease_until_us: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)


class InvestigationStepRow(Base):
    """One step: who worked on what, which model answered, and the result.

    `usage`, `result` and `failure` are JSON. `connection` is null in rows of earlier versions,
    which had one connection for each provider, named like it.
    """

    __tablename__ = "llm_investigation_steps"

    investigation_id: Mapped[str] = mapped_column(
        ForeignKey("llm_investigations.id"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str] = mapped_column(String(64))
    question: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    connection: Mapped[str | None] = mapped_column(String(32))
    provider: Mapped[str | None] = mapped_column(String(32))
    model: Mapped[str | None] = mapped_column(String(255))
    revision: Mapped[int | None] = mapped_column(BigInteger)
    tlp: Mapped[str | None] = mapped_column(String(16))
    usage: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    started_us: Mapped[int | None] = mapped_column(BigInteger)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)
