"""What stopping and allowing hosted traffic do to the stored configuration. Pure."""

from __future__ import annotations

from dataclasses import replace

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.vocabulary import EVERYTHING
from aurorasoc.core.audit.actions import Action
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.plan import Change, Edited
from aurorasoc.llm.changes.requests import HostedTrafficRequest


def set_hosted_traffic(requested: HostedTrafficRequest, *, by: str, since: str) -> Change:
    """Stop all traffic to hosted providers, or allow it again.

    A state that is in force already stays as it is, with who said so first.

    Args:
        requested: Which of them, and why.
        by: Who asks.
        since: The moment, ISO 8601 UTC.
    """
    action = Action.HOSTED_STOPPED if requested.state == "stopped" else Action.HOSTED_ALLOWED
    said = HostedTraffic(requested.state, since, by, requested.reason)

    def edit(before: Stored) -> Edited:
        same = before.config.hosted_traffic.state == requested.state
        config = before.config if same else replace(before.config, hosted_traffic=said)
        return Edited(config, details={"reason": requested.reason})

    return Change(action, EVERYTHING, edit)
