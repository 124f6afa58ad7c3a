"""A channel is a plug-in: outside its own folder no code of a service names it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from libs.events.content import Channel

SERVICES: Final = Path(__file__).parents[2] / "services"
CHANNELS: Final = SERVICES / "ingest" / "channels"
NAMED: Final = re.compile("|".join(Channel), re.IGNORECASE)


def spelled(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every identifier and every string, but for what only people read."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            if id(node) not in docs:
                yield node.lineno, str(node.value)
            continue
        line = getattr(node, "lineno", 0)
        for _, value in ast.iter_fields(node):
            if isinstance(value, str):
                yield line, value
            elif isinstance(value, list):
                yield from ((line, one) for one in value if isinstance(one, str))


def named_in(path: Path, names: re.Pattern[str] = NAMED) -> list[str]:
    tree = ast.parse(path.read_text())
    return [f"{path}:{line}: {said}" for line, said in spelled(tree) if names.search(said)]


def outside() -> list[Path]:
    """All that is neither a channel's own nor a setting."""
    return [
        path
        for path in sorted(SERVICES.rglob("*.py"))
        if CHANNELS not in path.parents and path.name != "settings.py"
    ]


def test_no_code_outside_its_folder_names_a_channel() -> None:
    assert len(outside()) > 200
    assert [said for path in outside() for said in named_in(path)] == []


def test_what_the_check_sees(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(
        '"""The widget."""\n'
        "import services.telegram.api as api\n"
        "class TelegramSender:\n"
        '    """The widget."""\n'
        "def f(widget): f(telegram_url=Channel.WIDGET)\n"
        'x = "on the widget"\n'
    )
    lines = {int(one.split(":")[1]) for one in named_in(path)}
    assert lines == {2, 3, 5, 6}


@pytest.mark.parametrize("channel", Channel)
def test_no_channel_knows_another(channel: Channel) -> None:
    others = re.compile("|".join(set(Channel) - {channel}), re.IGNORECASE)
    own = sorted((CHANNELS / channel.value).rglob("*.py"))
    assert len(own) > 2
    assert [said for path in own for said in named_in(path, others)] == []


@pytest.mark.parametrize("channel", Channel)
def test_every_channel_has_the_same_few_files(channel: Channel) -> None:
    files = {path.stem for path in (CHANNELS / channel.value).glob("*.py")}
    assert {"adapter", "sender"} <= files
