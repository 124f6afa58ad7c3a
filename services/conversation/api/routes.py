"""The HTTP side: parse, call, answer. The paths are those of the public API, which the gateway
passes on with the caller's token; ``/internal`` is ingest's, for the widget.

Plain routes: solving a web framework's dependencies was a quarter of the CPU of each request, and
nobody outside reads a description of this API.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import FastAPI, Request
from msgspec import Meta
from starlette.responses import Response

from libs.events.api import (
    AddNote,
    ConversationView,
    Draft,
    EditMessage,
    ReadAll,
    SendMessage,
    Sent,
)
from libs.events.api.attachments import FindAttachments
from libs.events.api.cases import (
    AddParticipant,
    AssignCase,
    ForwardCase,
    SendToCrm,
    SetDue,
    TransferCase,
)
from libs.events.api.conversations import FindConversations
from libs.events.api.customers import RecordActivity
from libs.events.api.filters import ListAsked, is_narrowed
from libs.events.api.marks import ChangeMarks, MarkEmotion, SetFields, SetMark, SetPriority
from libs.events.marks import MarkKind
from libs.events.registry import Body, Instant
from libs.runtime.bodies import BodyReader, read_nothing, read_query
from libs.runtime.http import json_response
from libs.runtime.idempotency import Answers, Personal, Work
from libs.runtime.rows import find_rows
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.conversation.commands import Desktop, Parts
from services.conversation.localization.refusals import no_such_conversation
from services.conversation.read_models.inbox.rows import snapshot_of
from services.conversation.read_models.search.pages import search_page
from services.conversation.read_models.timeline import Timeline

DEFAULT_PAGE: Final = 50
LONGEST_PAGE: Final = 200
ATTACHMENTS_ASKED_AT_MOST: Final = 100

_ONE: Final = "/v1/conversations/{conversation_id}"
_MESSAGE: Final = _ONE + "/messages/{message_id}"

Limit = Annotated[int, Meta(ge=1, le=LONGEST_PAGE)]
Endpoint = Callable[[Request], Awaitable[Response]]
Act = Callable[[Desktop, str, str], Awaitable[ConversationView]]
Writing = Awaitable[Sent]


class _ListQuery(ListAsked, forbid_unknown_fields=True):
    cursor: str | None = None
    limit: Limit = DEFAULT_PAGE


class PageQuery(Body):
    cursor: str | None = None
    limit: Limit = DEFAULT_PAGE


class _AsOfQuery(Body):
    as_of: Instant | None = None


class _TimelineQuery(_AsOfQuery):
    cursor: str | None = None
    limit: Limit = DEFAULT_PAGE


class _AfterQuery(Body):
    after: Annotated[int, Meta(ge=0)] = 0
    limit: Limit = DEFAULT_PAGE


def add_routes(app: FastAPI, parts: Parts, answers: Answers) -> None:
    finding, finding_files = BodyReader(FindConversations), BodyReader(FindAttachments)
    drafts_reader, reading_all = BodyReader(Draft), BodyReader(ReadAll)

    def desktop(request: Request) -> Desktop:
        return Desktop(parts, caller_of(request))

    async def conversations(request: Request) -> Response:
        desk = desktop(request)
        asked = read_query(request, _ListQuery)
        if asked.q is not None:
            tab = asked.tab or "all"
            listed = search_page(
                desk.inbox, parts.search, asked.q, tab, asked, asked.cursor, asked.limit
            )
        else:
            listed = desk.inbox.page(
                asked.tab or ("all" if is_narrowed(asked) else "new"),
                asked,
                asked.sort,
                asked.cursor,
                asked.limit,
            )
        return Response(await desk.with_drafts(listed), media_type="application/json")

    async def counts(request: Request) -> Response:
        return json_response(await desktop(request).counts())

    async def conversation(request: Request) -> Response:
        desk = desktop(request)
        asked = read_query(request, _AsOfQuery)
        return json_response(await desk.view(_id(request), asked.as_of))

    async def timeline(request: Request) -> Response:
        desk = desktop(request)
        asked = read_query(request, _TimelineQuery)
        page = await desk.timeline(_id(request), asked.cursor, asked.limit, asked.as_of)
        return json_response(page)

    async def audit(request: Request) -> Response:
        desk = desktop(request)
        asked = read_query(request, PageQuery)
        found = await desk.audit(_id(request))
        async with parts.long_work.turn(caller_of(request).workspace_id):
            return json_response(await found.page(asked.cursor, asked.limit))

    async def comments(request: Request) -> Response:
        desk = desktop(request)
        asked = read_query(request, PageQuery)
        return json_response(await desk.comments(_id(request), asked.cursor, asked.limit))

    async def once(request: Request, caller: Caller, raw: bytes, work: Work) -> Response:
        """The first answer again is only for who still sees the conversation."""

        async def may_see() -> object:
            return await Desktop(parts, caller).view(_id(request), None)

        return await answers.once(request, caller, raw, work, may_see)

    def acting(act: Act) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)

            async def work(cause: str) -> Response:
                desk = Desktop(parts, caller)
                return _personal(desk, await act(desk, _id(request), cause))

            return await once(request, caller, await read_nothing(request), work)

        return endpoint

    def acting_with[T](
        reader: BodyReader[T], act: Callable[[Desktop, str, str, T], Awaitable[ConversationView]]
    ) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)
            body, raw = await reader.read(request)

            async def work(cause: str) -> Response:
                desk = Desktop(parts, caller)
                return _personal(desk, await act(desk, _id(request), cause, body))

            return await once(request, caller, raw, work)

        return endpoint

    def writing[T](
        reader: BodyReader[T], write: Callable[[Desktop, str, str, T], Writing]
    ) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)
            body, raw = await reader.read(request)

            async def work(cause: str) -> Response:
                desk = Desktop(parts, caller)
                return _personal(desk, await write(desk, _id(request), cause, body), 201)

            return await once(request, caller, raw, work)

        return endpoint

    def acting_on_message[T](
        reader: BodyReader[T],
        act: Callable[[Desktop, str, str, str, T], Awaitable[ConversationView]],
    ) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = caller_of(request)
            body, raw = await reader.read(request)
            message_id: str = request.path_params["message_id"]

            async def work(cause: str) -> Response:
                desk = Desktop(parts, caller)
                return _personal(desk, await act(desk, message_id, _id(request), cause, body))

            return await once(request, caller, raw, work)

        return endpoint

    async def delete_message(request: Request) -> Response:
        caller = caller_of(request)
        message_id: str = request.path_params["message_id"]

        async def work(cause: str) -> Response:
            desk = Desktop(parts, caller)
            return _personal(desk, await desk.delete_message(message_id, _id(request), cause))

        return await once(request, caller, await read_nothing(request), work)

    async def resend(request: Request) -> Response:
        caller = caller_of(request)
        message_id: str = request.path_params["message_id"]

        async def work(cause: str) -> Response:
            desk = Desktop(parts, caller)
            return _personal(desk, await desk.resend(message_id, _id(request), cause), 201)

        return await once(request, caller, await read_nothing(request), work)

    async def put_draft(request: Request) -> Response:
        desk = desktop(request)
        draft, _ = await drafts_reader.read(request)
        return json_response(await desk.put_draft(_id(request), draft))

    async def draft(request: Request) -> Response:
        return json_response(await desktop(request).draft(_id(request)))

    async def delete_draft(request: Request) -> Response:
        desk = desktop(request)
        await read_nothing(request)
        await desk.delete_draft(_id(request))
        return Response(status_code=204)

    async def read_all(request: Request) -> Response:
        caller = caller_of(request)
        asked, raw = await reading_all.read(request)

        async def work(cause: str) -> Response:
            return json_response(await Desktop(parts, caller).read_all(cause, asked))

        return await answers.once(request, caller, raw, work)

    def many(kind: MarkKind) -> Endpoint:
        return acting_with(
            BodyReader(ChangeMarks), lambda desk, *asked: desk.change_marks(kind, *asked)
        )

    def single(kind: MarkKind) -> Endpoint:
        return acting_with(BodyReader(SetMark), lambda desk, *asked: desk.set_mark(kind, *asked))

    async def remove_participant(request: Request) -> Response:
        caller, who = caller_of(request), str(request.path_params["member_id"])

        async def work(cause: str) -> Response:
            desk = Desktop(parts, caller)
            return _personal(desk, await desk.remove_participant(who, _id(request), cause))

        return await once(request, caller, await read_nothing(request), work)

    async def customer_timeline(request: Request) -> Response:
        caller = caller_of(request)
        asked = read_query(request, _AfterQuery)
        rows = await find_rows(parts.inbox, [_id(request)])
        if not rows or rows[0]["workspace"] != caller.workspace_id:
            raise no_such_conversation()
        found = Timeline(parts.store, parts.messages, snapshot_of(rows[0]))
        return json_response(await found.for_customer(asked.after, asked.limit))

    async def attachments(request: Request) -> Response:
        desk = desktop(request)
        asked, _ = await finding_files.read(request)
        return json_response(await desk.attachments_in_sight(asked.ids[:ATTACHMENTS_ASKED_AT_MOST]))

    async def in_sight(request: Request) -> Response:
        desk = desktop(request)
        asked, _ = await finding.read(request)
        return json_response(await desk.conversations_in_sight(asked.ids[:LONGEST_PAGE]))

    async def erase_customer(request: Request) -> Response:
        caller = caller_of(request)
        customer_id: str = request.path_params["customer_id"]

        async def work(cause: str) -> Response:
            return json_response(await Desktop(parts, caller).erase_customer(customer_id))

        return await answers.once(request, caller, await read_nothing(request), work)

    routes: list[tuple[str, str, Endpoint]] = [
        ("GET", "/v1/conversations", conversations),
        ("GET", "/v1/conversations/counts", counts),
        ("GET", _ONE, conversation),
        ("GET", f"{_ONE}/timeline", timeline),
        ("GET", f"{_ONE}/audit", audit),
        ("GET", f"{_ONE}/comments", comments),
        ("POST", f"{_ONE}/take", acting(Desktop.take)),
        ("POST", f"{_ONE}/close", acting(Desktop.close)),
        ("POST", f"{_ONE}/reopen", acting(Desktop.reopen)),
        ("POST", f"{_ONE}/open", acting(Desktop.open)),
        ("POST", f"{_ONE}/send-to-crm", acting_with(BodyReader(SendToCrm), Desktop.send_to_crm)),
        ("POST", f"{_ONE}/assign", acting_with(BodyReader(AssignCase), Desktop.assign)),
        ("POST", f"{_ONE}/unassign", acting(Desktop.unassign)),
        ("POST", f"{_ONE}/take-over", acting(Desktop.take_over)),
        ("POST", f"{_ONE}/due", acting_with(BodyReader(SetDue), Desktop.set_due)),
        ("POST", f"{_ONE}/forward", acting_with(BodyReader(ForwardCase), Desktop.forward)),
        ("POST", f"{_ONE}/transfer", acting_with(BodyReader(TransferCase), Desktop.transfer)),
        ("POST", f"{_ONE}/accept", acting(Desktop.accept)),
        ("POST", f"{_ONE}/decline", acting(Desktop.decline)),
        ("POST", f"{_ONE}/withdraw", acting(Desktop.withdraw)),
        (
            "POST",
            f"{_ONE}/participants",
            acting_with(BodyReader(AddParticipant), Desktop.add_participant),
        ),
        ("DELETE", f"{_ONE}/participants/{{member_id}}", remove_participant),
        ("POST", f"{_ONE}/leave", acting(Desktop.leave)),
        ("POST", f"{_ONE}/messages", writing(BodyReader(SendMessage), Desktop.send)),
        ("POST", f"{_ONE}/notes", writing(BodyReader(AddNote), Desktop.note)),
        (
            "POST",
            f"{_ONE}/activities",
            writing(BodyReader(RecordActivity), Desktop.record_activity),
        ),
        ("PUT", f"{_ONE}/draft", put_draft),
        ("GET", f"{_ONE}/draft", draft),
        ("DELETE", f"{_ONE}/draft", delete_draft),
        ("POST", "/v1/conversations/read-all", read_all),
        ("POST", f"{_ONE}/read", acting(Desktop.read)),
        ("POST", f"{_ONE}/unread", acting(Desktop.unread)),
        ("POST", f"{_ONE}/flag", acting(Desktop.flag)),
        ("POST", f"{_ONE}/unflag", acting(Desktop.unflag)),
        ("POST", f"{_ONE}/priority", acting_with(BodyReader(SetPriority), Desktop.set_priority)),
        ("POST", f"{_ONE}/tags", many("tag")),
        ("POST", f"{_ONE}/topics", many("topic")),
        ("POST", f"{_ONE}/reasons", many("reason")),
        ("POST", f"{_ONE}/components", many("component")),
        ("POST", f"{_ONE}/status", single("status")),
        ("POST", f"{_ONE}/type", single("type")),
        ("POST", f"{_ONE}/fields", acting_with(BodyReader(SetFields), Desktop.set_fields)),
        ("PATCH", _MESSAGE, acting_on_message(BodyReader(EditMessage), Desktop.edit_message)),
        ("DELETE", _MESSAGE, delete_message),
        ("POST", f"{_MESSAGE}/resend", resend),
        (
            "PUT",
            f"{_MESSAGE}/emotion",
            acting_on_message(BodyReader(MarkEmotion), Desktop.mark_emotion),
        ),
        ("POST", "/v1/customers/{customer_id}/erase", erase_customer),
        ("POST", "/internal/v1/attachments", attachments),
        ("POST", "/internal/v1/conversations", in_sight),
        ("GET", "/internal/v1/customer-timeline/{conversation_id}", customer_timeline),
    ]
    for method, path, endpoint in routes:
        app.add_route(path, endpoint, [method])


def _personal(desk: Desktop, body: ConversationView | Sent, status: int = 200) -> Response:
    """It tells what was said, so it is kept no longer than that."""
    return Personal(json_response(body, status), desk.told_of)


def _id(request: Request) -> str:
    conversation_id: str = request.path_params["conversation_id"]
    return conversation_id
