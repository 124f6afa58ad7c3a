"""``/internal``: what the other services ask, ingest for the widget among them."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Request
from msgspec import Meta
from starlette.responses import Response

from libs.events.api.attachments import FindAttachments
from libs.events.api.conversations import FindConversations
from libs.events.api.values import PAGE_AT_MOST, PageLimit
from libs.events.registry import Body
from libs.runtime.bodies import BodyReader, read_query
from libs.runtime.http import json_response
from libs.runtime.trust import caller_of
from services.conversation.api.resource import (
    DEFAULT_PAGE,
    Resource,
    Routes,
)
from services.conversation.read_models.conversations import VisibleConversations
from services.conversation.read_models.customer_timeline import CustomerTimelines

ATTACHMENTS_ASKED_AT_MOST: Final = 100

_conversations: Final = BodyReader(FindConversations)
_attachments: Final = BodyReader(FindAttachments)


@dataclass(frozen=True, slots=True)
class InternalHandlers:
    visible: VisibleConversations
    timelines: CustomerTimelines


class _AfterQuery(Body):
    after: Annotated[int, Meta(ge=0)] = 0
    limit: PageLimit = DEFAULT_PAGE


async def attachments(resource: Resource[InternalHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked, _ = await _attachments.read(request)
    ids = asked.ids[:ATTACHMENTS_ASKED_AT_MOST]
    return json_response(await resource.handler.visible.attachments_in_sight(actor, ids))


async def conversations(resource: Resource[InternalHandlers], request: Request) -> Response:
    actor = resource.requests.actor(request)
    asked, _ = await _conversations.read(request)
    return json_response(await resource.handler.visible.in_sight(actor, asked.ids[:PAGE_AT_MOST]))


async def customer_timeline(resource: Resource[InternalHandlers], request: Request) -> Response:
    workspace_id = caller_of(request).workspace_id
    asked = read_query(request, _AfterQuery)
    found = await resource.handler.timelines.page(
        workspace_id, resource.requests.id_of(request), asked.after, asked.limit
    )
    return json_response(found)


ROUTES: Final[Routes[InternalHandlers]] = (
    ("POST", "/internal/v1/attachments", attachments),
    ("POST", "/internal/v1/conversations", conversations),
    ("GET", "/internal/v1/customer-timeline/{conversation_id}", customer_timeline),
)
