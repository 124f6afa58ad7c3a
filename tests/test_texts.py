"""Whatever is told to people is told in each of their languages, by every service."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from libs.runtime.problems import Problem
from libs.runtime.texts import COMMON, Texts
from services.analytics.localization import TEXTS as ANALYTICS
from services.conversation.localization.localizer import TEXTS as CONVERSATION
from services.gateway.access import SignInNeeded
from services.gateway.accounts.accounts import EmailTaken, WorkspaceNeeded, WrongSignIn
from services.gateway.localization import TEXTS as GATEWAY
from services.ingest.localization import TEXTS as INGEST
from services.notify.localization import TEXTS as NOTIFY
from services.routing.domain import errors
from services.routing.localization import TEXTS as ROUTING
from tests.support.texts import check_files, check_texts

ROOT: Final = Path(__file__).parents[1]
ALL: Final = {
    "libs/runtime": COMMON,
    "services/analytics": ANALYTICS,
    "services/conversation": CONVERSATION,
    "services/gateway": GATEWAY,
    "services/ingest": INGEST,
    "services/routing": ROUTING,
    "services/notify": NOTIFY,
}
# Read by programs alone, so in English.
PROGRAMS: Final = {
    "services/ingest/webhooks/router.py": "a platform's",
    "services/ingest/ports/webhooks.py": "a platform's",
    "services/ingest/accept.py": "a platform's",
    "services/ingest/channels/widget/access.py": "widget.js, which tells the visitor",
    "services/ingest/channels/widget/hub.py": "widget.js",
    "services/ingest/channels/widget/routes.py": "widget.js",
}
# What a channel's hook answers is read by its platform alone.
HOOKS: Final = "services/ingest/channels/*/hook.py"
# Said to another service, in a file whose other words are for people.
TO_SERVICES: Final = {
    "a service token is needed",
    "the service token is not valid",
    "another service may ask this, this one may not",
    "offset: the directory's offset of the source's state is needed",
}
# Where the words of a call stand that refuses; the others' are variables and names of texts.
SAYING: Final = {"invalid_field": 1}
# Calls that name a text: where its name stands, and what comes before it in the catalogue.
NAMING: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "libs/runtime": {"NotOutside": (0, "invalid.")},
    "services/conversation": {"wrong": (1, "invalid."), "_Wrong": (0, "invalid.")},
    "services/ingest": {"RefusedFile": (1, "invalid.")},
    "services/routing": {"InvalidValue": (1, "invalid."), "Clash": (0, "conflict.")},
}


def problems(of: type[Any] = Problem) -> Iterator[type[Any]]:
    yield of
    for one in of.__subclasses__():
        yield from problems(one)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else None
            yield (function.id if isinstance(function, ast.Name) else name or ""), node


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def words(call: ast.Call, position: int) -> str | None:
    """The text that stands there in the code itself."""
    given = call.args[position] if len(call.args) > position else None
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def composed(call: ast.Call, position: int) -> str | None:
    """The text that stands there with variables in it."""
    given = call.args[position] if len(call.args) > position else None
    return ast.unparse(given) if isinstance(given, ast.JoinedStr) else None


@pytest.mark.parametrize("folder", ALL)
def test_no_refusal_has_its_words_in_the_code(folder: str) -> None:
    refusing = {one.__name__: 0 for one in problems()} | SAYING
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {said}"
        for path in sources(folder)
        if str(path.relative_to(ROOT)) not in PROGRAMS and not path.relative_to(ROOT).match(HOOKS)
        for name, call in calls(path)
        if name in refusing
        and (said := words(call, refusing[name]) or composed(call, refusing[name])) is not None
        and said not in TO_SERVICES
    ]
    assert found == [], f"put the words into {folder}/localization/*.po and say them with TEXTS.say"


@pytest.mark.parametrize(("folder", "texts"), ALL.items())
def test_every_text_that_the_code_names_is_there(folder: str, texts: Texts) -> None:
    naming = {"say": (0, "")} | NAMING.get(folder, {})
    named = {
        naming[name][1] + said
        for path in sources(folder)
        for name, call in calls(path)
        if name in naming and (said := words(call, naming[name][0])) is not None
    }
    missing = named - texts.of("en").keys()
    assert missing == set(), f"add them to {folder}/localization/*.po, or to those of libs/runtime"


def test_why_a_channel_did_not_do_something_is_told() -> None:
    codes = {
        said
        for path in sources("services/ingest")
        for name, call in calls(path)
        if name in ("Failed", "Uncertain") and (said := words(call, 0)) is not None
    }
    assert len(codes) > 8
    missing = {f"reason.{code}" for code in codes} - CONVERSATION.of("en").keys()
    assert missing == set(), "add them to services/conversation/localization/*.po"


@pytest.mark.parametrize("texts", set(ALL.values()), ids=lambda one: str(one.folder.parent.name))
def test_every_catalogue_is_whole(texts: Texts) -> None:
    check_texts(texts)
    check_files(texts)


@pytest.mark.parametrize("problem", [EmailTaken, SignInNeeded, WorkspaceNeeded, WrongSignIn])
def test_every_problem_of_the_gateway_has_its_title(problem: type[Problem]) -> None:
    assert problem.texts.of("en")[f"title.{problem.kind}"] == (problem.title,)
    assert problem.texts.of("uk")[f"title.{problem.kind}"] != (problem.title,)


def test_what_the_directory_refuses_says_no_words_of_its_own() -> None:
    assert str(errors.InvalidValue("name", "too-long", count=200)) == "name: too-long"
    assert errors.Clash("too-many-labels", count=500).variables == {"count": 500}
