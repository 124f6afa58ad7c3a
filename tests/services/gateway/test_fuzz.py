"""Whatever is asked of the public edges, nothing of ours breaks: no answer is a 5xx of a bug.

Schemathesis reads the gateway's OpenAPI, and one of ingest's and the widget's edges that is made
here of the shapes that they read. ``PARLEY_FUZZ_EXAMPLES`` is how many requests it makes of each
operation: a few in the tests, many in ``make fuzz``.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from services.ingest.channels.telegram.limits import SECRET_HEADER
from services.ingest.channels.telegram.shapes import Update
from services.ingest.channels.widget.files import FileRequest
from services.ingest.channels.widget.routes import MessageRequest, SessionRequest
from tests.support.gateway.office import Office

pytestmark = pytest.mark.servers

EXAMPLES: Final = int(os.environ.get("PARLEY_FUZZ_EXAMPLES", "1"))
ORIGIN: Final = "https://shop.example"
# It ends the tests' own session, is slow on purpose (a password is hashed for each try), or an
# answer without an end.
LEFT_OUT: Final = ("/v1/sign-out", "/v1/sign-in", "/v1/me/password", "/v1/live")
_REF: Final = "#/components/schemas/{name}"
# What leads from one answer to the next request is found in many requests only: 18 scenarios of one
# request each came to none of ingest's ten links, in half of the time that the tests have.
PHASES: Final = "examples,coverage,fuzzing" + ("" if EXAMPLES == 1 else ",stateful")
# A bound for the tests, whatever the machine: what was not asked by then is asked by hand.
_SECONDS: Final = 30 if EXAMPLES == 1 else 3_600


async def test_the_gateway_has_an_answer_to_everything(office: Office, tmp_path: Path) -> None:
    conversation = await office.receive("Добрий день")
    await office.shown(conversation)
    document = json.loads(json.dumps(office.document))
    document["paths"] = {
        path: _answered(operations, conversation)
        for path, operations in document["paths"].items()
        if path not in LEFT_OUT
    }
    await fuzz(document, office.suite.replica_url, office.owner.token or "", tmp_path)


async def test_ingest_and_the_widget_have_an_answer_to_everything(
    office: Office, tmp_path: Path
) -> None:
    session = f"{office.suite.ingest_url}/widget/{office.source_id}/session"
    async with office.suite.http.post(session, json={}, headers={"origin": ORIGIN}) as answer:
        token = (await answer.json())["token"]
    await fuzz(_ingest(office.source_id), office.suite.ingest_url, token, tmp_path)


async def fuzz(document: Mapping[str, Any], url: str, token: str, there: Path) -> None:
    described = there / "openapi.json"
    described.write_text(json.dumps(document))
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "run", str(described), "--url", url),
        *("--checks", "not_a_server_error", "--max-examples", str(EXAMPLES)),
        *("--phases", PHASES, "--mode", "all"),
        *("--header", f"Authorization: Bearer {token}", "--header", f"Origin: {ORIGIN}"),
        *("--continue-on-failure", "--no-color", "--workers", "2", "--seed", "1"),
        *("--max-time", str(_SECONDS), "--generation-database", "none"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=there,
    )
    told, _ = await process.communicate()
    if EXAMPLES > 1:
        sys.stdout.write(told.decode(errors="replace")[-4_000:])
    assert process.returncode == 0, told.decode(errors="replace")[-20_000:]


def _answered(operations: Mapping[str, Any], conversation: str) -> dict[str, Any]:
    """A conversation's id where one is wanted, so that what is asked of one comes to one."""
    described = json.loads(json.dumps(operations))
    for operation in described.values():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] == "id":
                parameter["schema"] = {"type": "string", "examples": [conversation]}
    return dict(described)


def _ingest(source_id: str) -> dict[str, Any]:
    shapes = (Update, MessageRequest, SessionRequest, FileRequest)
    bodies, schemas = msgspec.json.schema_components(shapes, ref_template=_REF)
    update, message, session, file = bodies
    text: dict[str, Any] = {"schema": {"type": "string"}}
    source = {"name": "source_id", "in": "path", "required": True}
    source["schema"] = {"type": "string", "enum": [source_id, "src_unknown"]}
    link = {"name": "link", "in": "path", "required": True, **text}
    after = {"name": "after", "in": "query", **text}
    secret = {"name": SECRET_HEADER, "in": "header", **text}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley ingest", "version": "1"},
        "components": {"schemas": schemas},
        "paths": {
            "/hooks/telegram/{source_id}": {"post": _operation(source, secret, body=update)},
            "/hooks/widget/{source_id}": {"post": _operation(source, body=message)},
            "/widget/{source_id}/session": {"post": _operation(source, body=session)},
            "/widget/{source_id}/messages": {"get": _operation(source, after)},
            "/widget/{source_id}/files": {"post": _operation(source, body=file)},
            "/widget/{source_id}/files/{link}": {"get": _operation(source, link)},
            "/healthz": {"get": _operation()},
        },
    }


def _operation(*parameters: Mapping[str, Any], body: Mapping[str, Any] | None = None) -> Any:
    operation: dict[str, Any] = {"parameters": parameters}
    operation["responses"] = {"200": {"description": "The answer."}}
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation
