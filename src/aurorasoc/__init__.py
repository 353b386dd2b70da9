"""aurorasoc: run a SOC's AI agents on local or hosted models, and switch while they work.

Public names are imported on first use, so importing this package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aurorasoc.agents.factory import AgentFactory
    from aurorasoc.api.app import include_routers
    from aurorasoc.core.access.permissions import Permission
    from aurorasoc.core.access.principal import Principal
    from aurorasoc.core.audit.log import AuditEvent, AuditSink
    from aurorasoc.errors import AuroraError, ModelCallError, Unauthenticated, our_error
    from aurorasoc.llm.models.pool import get_chat_model, reset_chat_model_pool
    from aurorasoc.runtime import open_runtime
    from aurorasoc.web.settings_page import include_settings_page

__all__ = [
    "AgentFactory",
    "AuditEvent",
    "AuditSink",
    "AuroraError",
    "ModelCallError",
    "Permission",
    "Principal",
    "Unauthenticated",
    "get_chat_model",
    "include_routers",
    "include_settings_page",
    "open_runtime",
    "our_error",
    "reset_chat_model_pool",
]

_HOMES = {
    "AgentFactory": "aurorasoc.agents.factory",
    "AuditEvent": "aurorasoc.core.audit.log",
    "AuditSink": "aurorasoc.core.audit.log",
    "AuroraError": "aurorasoc.errors",
    "ModelCallError": "aurorasoc.errors",
    "Permission": "aurorasoc.core.access.permissions",
    "Principal": "aurorasoc.core.access.principal",
    "Unauthenticated": "aurorasoc.errors",
    "get_chat_model": "aurorasoc.llm.models.pool",
    "include_routers": "aurorasoc.api.app",
    "include_settings_page": "aurorasoc.web.settings_page",
    "open_runtime": "aurorasoc.runtime",
    "our_error": "aurorasoc.errors",
    "reset_chat_model_pool": "aurorasoc.llm.models.pool",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version("aurorasoc")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
