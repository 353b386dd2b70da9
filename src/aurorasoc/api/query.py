"""Query parameters that a call doesn't take: refused, because `?verfy=true` would not verify.

Only calls that change or test something refuse them. Others may get parameters that a host's
middleware reads, such as the token of an event stream.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request
from fastapi.dependencies.utils import get_dependant
from fastapi.exceptions import RequestValidationError

from aurorasoc.api.deps import authenticated

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

MOST_NAMED: Final = 8
"""Unknown parameters that an answer names."""

_A_NAME: Final = re.compile(r"[A-Za-z_]{1,32}")
"""What may be repeated in an answer: a key that was sent in the wrong place has digits."""


def parameters_of(dependant: Dependant) -> frozenset[str]:
    """Return the names of all query parameters that a route and its dependencies take."""
    taken = frozenset(field.alias for field in dependant.query_params)
    return taken.union(*map(parameters_of, dependant.dependencies))


def require_known(request: Request, known: frozenset[str]) -> None:
    """Refuse a change or a test with a parameter that it doesn't take.

    Args:
        request: What was asked.
        known: The route's parameters; those of a host's own way to authenticate are known, too.

    Raises:
        RequestValidationError: It names the parameter and the nearest one that is known.
    """
    if request.method in _READING or not request.scope["query_string"]:
        return
    unknown = [name for name in request.query_params if name not in known]
    principal = request.app.dependency_overrides.get(authenticated)
    if unknown and principal is not None:
        hosts = parameters_of(get_dependant(path="", call=principal))
        unknown = [name for name in unknown if name not in hosts]
    if unknown:
        raise RequestValidationError([_issue(name, known) for name in unknown[:MOST_NAMED]])


def _issue(name: str, known: frozenset[str]) -> dict[str, Any]:
    """Return what is wrong, in FastAPI's form."""
    shown = name if _A_NAME.fullmatch(name) else "(unknown parameter)"
    nearest = get_close_matches(name.lower(), sorted(known), n=1)
    takes = f"this call takes {', '.join(sorted(known)) or 'none'}"
    cure = f"did you mean {nearest[0]}?" if nearest else takes
    return {"type": "unknown", "loc": ("query", shown), "msg": f"Unknown parameter: {cure}"}
