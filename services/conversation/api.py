"""The HTTP side: parse, call, answer. The paths are those of the public API, which the gateway
passes on with the caller's token; ``/internal`` is ingest's, for the widget."""

from typing import Annotated, Final

from fastapi import Depends, FastAPI, Query, Request
from starlette.responses import Response

from libs.events.api import AddNote, SendMessage, Tab
from libs.runtime.bodies import BodyReader
from libs.runtime.http import caller_of, json_response
from libs.runtime.idempotency import Answers
from libs.runtime.problems import Forbidden, NotFound
from libs.runtime.tokens import Caller, ServiceTokens
from services.conversation.commands import Desktop, Parts
from services.conversation.rows import find_rows, snapshot_of
from services.conversation.timeline import Timeline

DEFAULT_PAGE: Final = 50
LONGEST_PAGE: Final = 200

_send_reader: Final = BodyReader(SendMessage)
_note_reader: Final = BodyReader(AddNote)

Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE)]


def add_routes(app: FastAPI, parts: Parts, answers: Answers, tokens: ServiceTokens) -> None:
    verified = caller_of(tokens)

    async def caller(request: Request) -> Caller:
        # A coroutine, so that FastAPI does not send each request's check to a thread.
        return verified(request)

    As = Annotated[Caller, Depends(caller)]

    @app.get("/v1/conversations")
    async def conversations(
        caller: As, tab: Tab = "new", cursor: str | None = None, limit: Limit = DEFAULT_PAGE
    ) -> Response:
        return json_response(await Desktop(parts, caller).inbox.page(tab, cursor, limit))

    @app.get("/v1/conversations/{conversation_id}")
    async def conversation(caller: As, conversation_id: str) -> Response:
        return json_response(await Desktop(parts, caller).view(conversation_id))

    @app.get("/v1/conversations/{conversation_id}/timeline")
    async def timeline(
        caller: As, conversation_id: str, cursor: str | None = None, limit: Limit = DEFAULT_PAGE
    ) -> Response:
        found = await Desktop(parts, caller).timeline(conversation_id)
        return json_response(await found.page(cursor, limit))

    @app.post("/v1/conversations/{conversation_id}/take")
    async def take(request: Request, caller: As, conversation_id: str) -> Response:
        async def work(cause: str) -> Response:
            return json_response(await Desktop(parts, caller).take(conversation_id, cause))

        return await answers.once(request, caller, b"", work)

    @app.post("/v1/conversations/{conversation_id}/close")
    async def close(request: Request, caller: As, conversation_id: str) -> Response:
        async def work(cause: str) -> Response:
            return json_response(await Desktop(parts, caller).close(conversation_id, cause))

        return await answers.once(request, caller, b"", work)

    @app.post("/v1/conversations/{conversation_id}/reopen")
    async def reopen(request: Request, caller: As, conversation_id: str) -> Response:
        async def work(cause: str) -> Response:
            return json_response(await Desktop(parts, caller).reopen(conversation_id, cause))

        return await answers.once(request, caller, b"", work)

    @app.post("/v1/conversations/{conversation_id}/messages")
    async def send(request: Request, caller: As, conversation_id: str) -> Response:
        message, raw = await _send_reader.read(request)

        async def work(cause: str) -> Response:
            sent = await Desktop(parts, caller).send(conversation_id, cause, message)
            return json_response(sent, 201)

        return await answers.once(request, caller, raw, work)

    @app.post("/v1/conversations/{conversation_id}/notes")
    async def note(request: Request, caller: As, conversation_id: str) -> Response:
        body, raw = await _note_reader.read(request)

        async def work(cause: str) -> Response:
            sent = await Desktop(parts, caller).note(conversation_id, cause, body)
            return json_response(sent, 201)

        return await answers.once(request, caller, raw, work)

    @app.get("/internal/v1/customer-timeline/{conversation_id}")
    async def customer_timeline(
        caller: As,
        conversation_id: str,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Limit = DEFAULT_PAGE,
    ) -> Response:
        if caller.service != "ingest":
            raise Forbidden("only ingest asks on a customer's behalf")
        rows = await find_rows(parts.inbox, [conversation_id])
        if not rows or rows[0]["workspace"] != caller.workspace_id:
            raise NotFound("There is no such conversation")
        found = Timeline(parts.store, parts.messages, snapshot_of(rows[0]))
        return json_response(await found.for_customer(after, limit))
