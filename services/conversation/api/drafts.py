"""``/v1/conversations/{id}/draft``: what a member has begun to write, and has not sent."""

from typing import Final

from fastapi import Request
from starlette.responses import Response

from libs.events.api import Draft
from libs.runtime.bodies import BodyReader, read_nothing
from libs.runtime.http import json_response
from services.conversation.api.conversations import ONE
from services.conversation.api.resource import Resource, Routes
from services.conversation.commands.drafts import DraftCommands

_DRAFT: Final = f"{ONE}/draft"
_reader: Final = BodyReader(Draft)


async def put(resource: Resource[DraftCommands], request: Request) -> Response:
    actor, conversation_id = resource.requests.actor(request), resource.requests.id_of(request)
    draft, _ = await _reader.read(request)
    return json_response(await resource.handler.put(actor, conversation_id, draft))


async def get(resource: Resource[DraftCommands], request: Request) -> Response:
    actor, conversation_id = resource.requests.actor(request), resource.requests.id_of(request)
    return json_response(await resource.handler.get(actor, conversation_id))


async def delete(resource: Resource[DraftCommands], request: Request) -> Response:
    actor, conversation_id = resource.requests.actor(request), resource.requests.id_of(request)
    await read_nothing(request)
    await resource.handler.delete(actor, conversation_id)
    return Response(status_code=204)


ROUTES: Final[Routes[DraftCommands]] = (
    ("PUT", _DRAFT, put),
    ("GET", _DRAFT, get),
    ("DELETE", _DRAFT, delete),
)
