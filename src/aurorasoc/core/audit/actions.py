"""The audit log's actions. Others match on these strings, so they never change."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Action(StrEnum):
    """An audit entry's action, in alphabetical order; docs/api.md says when each is written."""

    ACCESS_DENIED = "access.denied"
    ASSIGNMENTS_CHANGED = "llm.assignments.changed"
    AUDIT_KEY_REWRAPPED = "audit.key.rewrapped"
    BUDGETS_CHANGED = "llm.budgets.changed"
    CLIENT_CREATED = "llm.client.created"
    CLIENT_KEY_REWRAPPED = "llm.client.key_rewrapped"
    CLIENT_REVOKED = "llm.client.revoked"
    CLIENT_SECRET_REPLACED = "llm.client.secret_replaced"  # noqa: S105 - no password
    CONFIG_CHANGED = "llm.config.changed"
    CONFIG_RESET = "llm.config.reset"
    CONFIG_ROLLED_BACK = "llm.config.rolled_back"
    CONNECTION_CHANGED = "llm.connection.changed"
    CONNECTION_DELETED = "llm.connection.deleted"
    HOSTED_ALLOWED = "llm.hosted.allowed"
    HOSTED_STOPPED = "llm.hosted.stopped"
    INVESTIGATION_CREATED = "investigation.created"
    INVESTIGATION_RESUMED = "investigation.resumed"
    KEY_ABANDONED = "llm.key.abandoned"
    KEY_CHANGED_IN_VAULT = "llm.key.changed_in_vault"
    KEY_DELETED = "llm.key.deleted"
    KEY_INTENDED = "llm.key.intended"
    KEY_MOVED_TO_VAULT = "llm.key.moved_to_vault"
    KEY_RESEALED = "llm.key.resealed"
    KEY_SET = "llm.key.set"
    POLICY_CHANGED = "llm.policy.changed"
    TEST_FINISHED = "llm.test.finished"
    TEST_STARTED = "llm.test.started"
    TLP_REFUSED = "tlp.refused"
