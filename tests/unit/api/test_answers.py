"""What routes answer with: types whose serializers are built late."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pkgutil import iter_modules

from fastapi.routing import APIRoute

from aurorasoc.api import routers
from aurorasoc.core.bodies import DEFERRED


def test_an_answer_of_several_routes_is_built_at_its_first_use() -> None:
    """FastAPI builds a serializer for each route: at start, twelve of the same one."""
    modules = [
        import_module(f"{routers.__name__}.{at.name}") for at in iter_modules(routers.__path__)
    ]
    answers = Counter(
        route.response_model
        for module in modules
        for route in module.router.routes
        if isinstance(route, APIRoute) and isinstance(route.response_model, type)
    )
    shared = {kind for kind, uses in answers.items() if uses > 1 and kind.__module__ != "builtins"}

    assert shared
    assert {
        kind for kind in shared if getattr(kind, "__pydantic_config__", None) != DEFERRED
    } == set()
