"""``/v1/saved-filters``: a member's own names for what they often ask the inbox for."""

from typing import Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from libs.events.api.filters import SaveFilter
from libs.runtime.bodies import BodyReader, read_nothing
from libs.runtime.http import json_response
from libs.runtime.trust import caller_of
from services.conversation.api.resource import Resource, Routes
from services.conversation.read_models.saved_filters import SavedFilterStore

_CREATED: Final = 201
_ALL: Final = "/v1/saved-filters"
_ONE: Final = f"{_ALL}/{{filter_id}}"
_reader: Final = BodyReader(SaveFilter)


async def every(resource: Resource[SavedFilterStore], request: Request) -> Response:
    return json_response(await resource.handler.of(caller_of(request)))


async def add(resource: Resource[SavedFilterStore], request: Request) -> Response:
    caller = caller_of(request)
    wanted, raw = await _reader.read(request)

    async def work(_cause: str) -> Response:
        return json_response(await resource.handler.add(caller, wanted), _CREATED)

    # The answer that is kept only names the filter: its words may have to be forgotten.
    answer = await resource.requests.answers.once(request, caller, raw, work)
    if answer.status_code != _CREATED:
        return answer
    filter_id = msgspec.json.decode(bytes(answer.body), type=str)
    return json_response(await resource.handler.get(caller, filter_id), _CREATED)


async def change(resource: Resource[SavedFilterStore], request: Request) -> Response:
    wanted, _ = await _reader.read(request)
    filter_id = request.path_params["filter_id"]
    return json_response(await resource.handler.change(caller_of(request), filter_id, wanted))


async def delete(resource: Resource[SavedFilterStore], request: Request) -> Response:
    await read_nothing(request)
    await resource.handler.delete(caller_of(request), request.path_params["filter_id"])
    return Response(status_code=204)


ROUTES: Final[Routes[SavedFilterStore]] = (
    ("GET", _ALL, every),
    ("POST", _ALL, add),
    ("PUT", _ONE, change),
    ("DELETE", _ONE, delete),
)
