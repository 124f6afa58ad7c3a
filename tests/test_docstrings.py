"""What a docstring says a function raises is there: each name after "Errors:" is an error's."""

import ast
import builtins
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("libs", "services")
# Up to the end of the sentence: what follows tells of something else.
ERRORS: Final = re.compile(r"\bErrors(?: of [\w ]+)?: (.*?)(?:\.(?:\s|$)|\n\n|$)", re.DOTALL)
NAME: Final = re.compile(r"(?<![\w`.])((?:\w+\.)*[A-Z]\w+)")
ASIDE: Final = re.compile(r"\([^)]*\)")
# Words of sentences that name no error.
WORDS: Final = frozenset({"HTTP", "Kafka", "MongoDB", "ClickHouse", "Telegram", "Python"})


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_errors(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line of each docstring that names errors, and each name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for told in ERRORS.findall(ast.get_docstring(node) or ""):
                for name in NAME.findall(ASIDE.sub("", told)):
                    if name not in WORDS:
                        yield getattr(node, "lineno", 1), name


@cache
def imported(module: str) -> frozenset[str]:
    """The project's modules that the module imports."""
    path = file_of(module)
    found = set()
    for node in ast.walk(ast.parse(path.read_text() if path else "")):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name for name in names if name.split(".")[0] in FOLDERS and file_of(name)}
    return frozenset(found)


@cache
def file_of(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    return next(
        (one for one in (path.with_suffix(".py"), path / "__init__.py") if one.exists()), None
    )


@cache
def known_to(module: str) -> list[ModuleType]:
    """The module, and all that it imports, and these: it may raise what they do."""
    seen, waiting, known = {module}, [module], []
    while waiting:
        one = waiting.pop(0)
        known.append(sys.modules.get(one) or importlib.import_module(one))
        for more in sorted(imported(one) - seen):
            seen.add(more)
            waiting.append(more)
    return known


def is_known(name: str, module: ModuleType) -> bool:
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return is_error(found)


def is_error(found: object) -> bool:
    """An exception's class, or several of them as a tuple or a type."""
    if isinstance(found, tuple):
        return all(map(is_error, found))
    return isinstance(found, type) and issubclass(found, BaseException)


def test_each_error_that_a_docstring_names_is_there() -> None:
    unknown = []
    for path in sources():
        module = module_of(path)
        for line, name in named_errors(ast.parse(path.read_text())):
            if is_known(name, builtins):
                continue
            if not any(is_known(name, one) for one in known_to(module)):
                unknown.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert unknown == []


@pytest.mark.parametrize(
    ("docstring", "names"),
    [
        ("Errors: TakenBy (naming the winner), AlreadyDone.", ["TakenBy", "AlreadyDone"]),
        ("Look. Errors of all: NotFound,\nUnavailable. A word after.", ["NotFound", "Unavailable"]),
        ("Errors: those of ``send``, the driver's and SERVER_AWAY.", ["SERVER_AWAY"]),
        ("Nothing of errors: Whatever.", []),
    ],
)
def test_names_are_found_in_sentences(docstring: str, names: list[str]) -> None:
    tree = ast.parse(f'def one():\n    """{docstring}"""')
    assert [name for _, name in named_errors(tree)] == names
