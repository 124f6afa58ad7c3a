"""``/v1/saved-filters``: a member's own names for what they often ask the inbox for."""

from typing import Final

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.filters import SaveFilter
from libs.runtime.bodies import BodyReader, read_nothing
from libs.runtime.http import json_response
from libs.runtime.idempotency import Answers
from libs.runtime.trust import caller_of
from services.conversation.read_models.saved_filters import SavedFilterStore

_CREATED: Final = 201
_PATH: Final = "/v1/saved-filters"


def add_saved_filter_routes(app: FastAPI, saved: SavedFilterStore, answers: Answers) -> None:
    reader = BodyReader(SaveFilter)

    async def every(request: Request) -> Response:
        return json_response(await saved.of(caller_of(request)))

    async def add(request: Request) -> Response:
        caller = caller_of(request)
        wanted, raw = await reader.read(request)

        async def work(_cause: str) -> Response:
            return json_response(await saved.add(caller, wanted), _CREATED)

        # The answer that is kept only names the filter: its words may have to be forgotten.
        answer = await answers.once(request, caller, raw, work)
        if answer.status_code != _CREATED:
            return answer
        filter_id = msgspec.json.decode(bytes(answer.body), type=str)
        return json_response(await saved.get(caller, filter_id), _CREATED)

    async def change(request: Request) -> Response:
        caller = caller_of(request)
        wanted, _ = await reader.read(request)
        return json_response(await saved.change(caller, request.path_params["filter_id"], wanted))

    async def delete(request: Request) -> Response:
        caller = caller_of(request)
        await read_nothing(request)
        await saved.delete(caller, request.path_params["filter_id"])
        return Response(status_code=204)

    app.add_route(_PATH, every, ["GET"])
    app.add_route(_PATH, add, ["POST"])
    app.add_route(_PATH + "/{filter_id}", change, ["PUT"])
    app.add_route(_PATH + "/{filter_id}", delete, ["DELETE"])
