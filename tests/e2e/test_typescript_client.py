"""The typed client for TypeScript: made of the API's own document, and enough for a console."""

import asyncio
import shutil
from pathlib import Path

import pytest

from parley.node import node
from parley.openapi import DOCUMENT, document, written
from tests.support.e2e.team import Company, person
from tests.support.node import TOP, installed, with_the_shapes_of_the_api

CLIENT = TOP / "clients" / "typescript"


@pytest.fixture(scope="module")
def client() -> Path:
    """The package as it is installed, with the shapes of the API as it is now."""
    folder = installed(CLIENT)
    for name in ("src", "examples"):
        shutil.copytree(CLIENT / name, folder / name, dirs_exist_ok=True)
    shutil.copy(CLIENT / "tsconfig.json", folder)
    with_the_shapes_of_the_api(folder, folder / "src")
    return folder


def test_the_document_that_it_is_made_of_is_current() -> None:
    assert DOCUMENT.read_text() == written(document()), "run python -m parley.openapi"


def test_it_and_its_example_fit_the_api_s_shapes(client: Path) -> None:
    checked = node(client, "node_modules/typescript/bin/tsc", "--noEmit")

    assert (checked.stdout, checked.returncode) == ("", 0)


def test_a_field_that_is_not_there_is_found(client: Path) -> None:
    wrong = client / "examples" / "wrong.ts"
    wrong.write_text(
        'import { connect } from "../src/index.ts";\n'
        'const { api } = connect({ url: "" });\n'
        'await api.POST("/v1/groups", { body: { title: "Sales" } });\n'
    )
    try:
        checked = node(client, "node_modules/typescript/bin/tsc", "--noEmit")
    finally:
        wrong.unlink()

    assert checked.returncode != 0
    assert "examples/wrong.ts(3," in checked.stdout


@pytest.mark.servers
async def test_a_console_s_main_moves(client: Path, company: Company) -> None:
    bot, _ = await company.connect_telegram()
    _, _, dima = await company.hired("Dima")
    _, _, ira = await company.hired("Ira")
    await company.writes(bot, person(), "Do you deliver?")
    row = await company.case_of("Olena")

    played = await asyncio.to_thread(
        node,
        client,
        "examples/console.ts",
        PARLEY_URL=company.suite.url("gateway"),
        EMAIL=dima.email,
        PASSWORD=dima.password,
        COLLEAGUE_EMAIL=ira.email,
        COLLEAGUE_PASSWORD=ira.password,
    )

    assert played.returncode == 0, played.stderr
    told = played.stdout.splitlines()
    assert "Olena: Do you deliver?" in told
    assert "colleague may not take it: case-taken" in told
    assert "colleague: parley.case.closed.v1" in told
    good_bye = "I take over from here. Good-bye!"
    texts = ["Do you deliver?", "Hello Olena!", good_bye]
    assert await company.texts(row["conversation_id"]) == texts
    assert [f"message {text}" for text in reversed(texts)] == [
        line for line in told if line.startswith("message ")
    ]
