"""Which variables of the environment a library's source consults, read from its syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

_MAPPING_READS: Final = frozenset({"get", "pop", "setdefault"})
_NAMED_READS: Final = frozenset({"get_secret", "get_secret_bool", "get_secret_str", "getenv"})
_NAME_ARGUMENTS: Final = frozenset({"env", "envs", "key", "secret_name"})
_WORDS: Final = (*_NAMED_READS, "_assert_setting_value", "environ")
"""A source without any of these reads nothing, and need not be parsed."""


@dataclass(frozen=True, order=True)
class Read:
    """One place that consults a variable.

    Attributes:
        file: The source file, relative to `site-packages`.
        name: The variable; empty where the name is computed.
    """

    file: str
    name: str


def reads_of(package: str, *, without: tuple[str, ...] = ()) -> set[Read]:
    """Return all reads in a package, subpackages included.

    Args:
        package: A path below `site-packages`: `litellm`, `beeai_framework/backend`.
        without: Beginnings of paths that are left out.
    """
    site = Path(str(distribution("litellm").locate_file("")))
    reads = set[Read]()
    for file in sorted((site / package).rglob("*.py")):
        path = file.relative_to(site).as_posix()
        source = file.read_text("utf-8")
        if any(word in source for word in _WORDS) and not path.startswith(without):
            reads |= {Read(path, name) for name in names_in(source)}
    return reads


def names_in(source: str) -> set[str]:
    """Return the variables that a source text consults; an empty name is a computed one."""
    tree = ast.parse(source)
    constants = dict(_constants(tree))
    return {
        name for node in ast.walk(tree) for key in _keys(node) for name in _names(key, constants)
    }


def _constants(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that stand for one text: `_ENV: Final = "SOME_VARIABLE"`."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        value = getattr(node, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, value.value


def _names(key: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    if isinstance(key, ast.Constant):
        yield str(key.value)
    elif isinstance(key, ast.List):
        for element in key.elts:
            yield from _names(element, constants)
    elif isinstance(key, ast.Name):
        yield constants.get(key.id, "")
    else:
        yield ""


def _keys(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that name a variable, where a node reads one."""
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        yield node.slice
    elif isinstance(node, ast.Compare) and any(map(_is_environ, node.comparators)):
        yield node.left
    elif isinstance(node, ast.Call):
        yield from _arguments(node)


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    function = call.func
    called = getattr(function, "attr", getattr(function, "id", ""))
    reads_mapping = called in _MAPPING_READS and _is_environ(getattr(function, "value", None))
    if reads_mapping or called in _NAMED_READS:
        yield from call.args[:1]
        yield from (word.value for word in call.keywords if word.arg in _NAME_ARGUMENTS)
    elif called == "_assert_setting_value":  # BeeAI's reader
        yield from (word.value for word in call.keywords if word.arg == "envs")


def _is_environ(node: object) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == "environ"
