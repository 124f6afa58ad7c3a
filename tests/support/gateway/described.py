"""What the gateway's own OpenAPI document says of an answer."""

from typing import Any

import jsonschema

from tests.support.gateway.suite import Answer


def check(document: Any, method: str, path: str, answer: Answer) -> None:
    """The answer is one that the document declares for the operation, with its schema."""
    declared = document["paths"][path][method]["responses"]
    assert str(answer.status) in declared, (method, path, answer.status, answer.content)
    content = declared[str(answer.status)].get("content")
    if content is None:
        assert answer.content == b""
        return
    schema = content[answer.headers["content-type"]]["schema"]
    validate(document, schema, answer.body)


def validate(document: Any, schema: Any, body: Any) -> None:
    jsonschema.Draft202012Validator(
        {**schema, "components": document["components"]},
        format_checker=jsonschema.FormatChecker(),
    ).validate(body)
