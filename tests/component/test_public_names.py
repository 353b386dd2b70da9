"""The package's public names: few, and free until they are used."""

import subprocess
import sys

import pytest

import aurorasoc
from tests.world.processes import bare_env

HEAVY = {"alembic", "beeai_framework", "fastapi", "hvac", "litellm", "pydantic", "sqlalchemy"}


def _imported_by(code: str) -> set[str]:
    """Run code in a new process and name the heavy packages that it has imported then."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=bare_env(),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()} & HEAVY


def test_importing_the_package_imports_nothing_else() -> None:
    """A program that only names it pays nothing."""
    assert _imported_by("import aurorasoc") == set()


@pytest.mark.parametrize("name", ["get_chat_model", "reset_chat_model_pool", "open_runtime"])
def test_a_name_for_agents_needs_no_web_framework_and_no_model_library(name: str) -> None:
    """Those come with the first call."""
    imported = _imported_by(f"from aurorasoc import {name}")
    assert not imported & {"alembic", "beeai_framework", "fastapi", "hvac", "litellm"}


def test_a_name_for_hosts_needs_no_model_library() -> None:
    """An API is ready before they are imported."""
    assert not _imported_by("from aurorasoc import include_routers") & {
        "beeai_framework",
        "litellm",
    }


def test_listing_names_imports_nothing() -> None:
    """As a shell's completion does."""
    assert _imported_by("import aurorasoc; dir(aurorasoc)") == set()


@pytest.mark.parametrize("name", aurorasoc.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    """And is something to call."""
    assert callable(getattr(aurorasoc, name))


def test_every_public_name_has_a_home() -> None:
    """`__all__` and the homes say the same."""
    assert sorted(aurorasoc._HOMES) == aurorasoc.__all__


def test_another_name_is_an_attribute_error() -> None:
    """As in any module, for `hasattr`."""
    with pytest.raises(AttributeError, match="has no attribute 'litellm'"):
        _ = aurorasoc.litellm


def test_a_public_name_is_the_same_object_each_time() -> None:
    """Identity holds, as for an ordinary import."""
    assert aurorasoc.get_chat_model is aurorasoc.get_chat_model
