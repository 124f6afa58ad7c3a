"""``/v1/conversations``: the inbox's pages and counts, one conversation, its timeline and log."""

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from libs.events.api import ReadAll
from libs.events.api.filters import ListAsked, is_narrowed
from libs.events.api.values import PageLimit
from libs.events.registry import Body, Instant
from libs.runtime.bodies import BodyReader, read_query
from libs.runtime.http import json_response
from libs.runtime.trust import caller_of
from services.conversation.api.resource import DEFAULT_PAGE, PageQuery, Resource, Routes
from services.conversation.commands.reading import ReadingCommands
from services.conversation.read_models.comments import CommentQueries
from services.conversation.read_models.conversation_queries import ConversationQueries
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.drafts import Drafts
from services.conversation.read_models.inbox.counts import Counts
from services.conversation.read_models.search.pages import search_page
from services.conversation.read_models.search.query import Search

ONE: Final = "/v1/conversations/{conversation_id}"

_reading_all: Final = BodyReader(ReadAll)


@dataclass(frozen=True, slots=True)
class ConversationHandlers:
    visible: VisibleConversations
    queries: ConversationQueries
    comments: CommentQueries
    search: Search
    counts: Counts
    drafts: Drafts
    reading: ReadingCommands


class _AuditQuery(PageQuery):
    whole: bool = False


class _ListQuery(ListAsked, forbid_unknown_fields=True):
    cursor: str | None = None
    limit: PageLimit = DEFAULT_PAGE


class _AsOfQuery(Body):
    as_of: Instant | None = None


class _TimelineQuery(_AsOfQuery):
    cursor: str | None = None
    limit: PageLimit = DEFAULT_PAGE


async def page(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, _ListQuery)
    inbox = resource.handler.visible.inbox(actor)
    if asked.q is not None:
        tab = asked.tab or "all"
        listed = search_page(
            inbox, resource.handler.search, asked.q, tab, asked, asked.cursor, asked.limit
        )
    else:
        tab = asked.tab or ("all" if is_narrowed(asked) else "new")
        listed = inbox.page(tab, asked, asked.sort, asked.cursor, asked.limit)
    marked = await resource.handler.drafts.marks_on(listed, actor.member_id)
    return Response(marked, media_type="application/json")


async def counts(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    important = await resource.handler.visible.inbox(actor).important()
    counted = await resource.handler.counts.of(
        actor.workspace_id, actor.member, actor.directory, important
    )
    return json_response(counted)


async def conversation(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, _AsOfQuery)
    return json_response(
        await resource.handler.queries.view(actor, resource.requests.id_of(request), asked.as_of)
    )


async def timeline(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, _TimelineQuery)
    found = await resource.handler.queries.timeline(
        actor, resource.requests.id_of(request), asked.cursor, asked.limit, asked.as_of
    )
    return json_response(found)


async def audit(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, _AuditQuery)
    found = await resource.handler.queries.audit(
        actor, resource.requests.id_of(request), asked.cursor, asked.limit, whole=asked.whole
    )
    return json_response(found)


async def comments(resource: Resource[ConversationHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked = read_query(request, PageQuery)
    found = await resource.handler.comments.under_the_same_post(
        actor, resource.requests.id_of(request), asked.cursor, asked.limit
    )
    return json_response(found)


async def read_all(resource: Resource[ConversationHandlers], request: Request) -> Response:
    caller = caller_of(request)
    asked, raw = await _reading_all.read(request)

    async def work(cause: str) -> Response:
        return json_response(
            await resource.handler.reading.read_all(resource.requests.actor(request), cause, asked)
        )

    return await resource.requests.answers.once(request, caller, raw, work)


ROUTES: Final[Routes[ConversationHandlers]] = (
    ("GET", "/v1/conversations", page),
    ("GET", "/v1/conversations/counts", counts),
    ("GET", ONE, conversation),
    ("GET", f"{ONE}/timeline", timeline),
    ("GET", f"{ONE}/audit", audit),
    ("GET", f"{ONE}/comments", comments),
    ("POST", "/v1/conversations/read-all", read_all),
)
