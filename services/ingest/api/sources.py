"""Telling a platform where our webhook is, once this replica knows the source, and that it is no
more, once the source is disconnected."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from libs.events.api.directory import WebhookRegistration
from libs.events.content import Channel
from libs.events.directory import SourceState
from libs.runtime.away import SERVER_AWAY
from libs.runtime.bodies import check_query, read_nothing
from libs.runtime.directory import Directory
from libs.runtime.http import json_response
from libs.runtime.problems import BadRequest, NotFound, Unavailable
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.ingest.localization import TEXTS
from services.ingest.sources import SourceBook
from services.ingest.webhooks.registrar import Registrar
from services.ingest.webhooks.removal import WebhookRemoval

_DIRECTORY_SECONDS: Final = 10.0


def webhook_url(public_url: str, channel: Channel, source_id: str) -> str:
    return f"{public_url.rstrip('/')}/hooks/{channel.value}/{source_id}"


def registration_routes(
    directory: Directory,
    sources: SourceBook,
    registrar: Registrar,
    removal: WebhookRemoval,
    public_url: str,
) -> list[BaseRoute]:
    """``POST /internal/v1/sources/{source_id}/register?offset=``: the offset of its state.

    Answers 200 also where the platform refused; it may be asked again. Errors: 400, 401, 404,
    413, 422, 503.

    ``POST …/unregister`` is asked before the source is disconnected (204), and again with
    ``?offset=`` of its state when it is (200, with what the platform said).

    ``GET …/health``: whether the platform sends to us, and when the last update came.
    """

    async def register(request: Request) -> Response:
        _, state = await _known(request, offset_required=True)
        channel, source_id = state.channel, state.source_id
        url = webhook_url(public_url, channel, source_id)
        error = await _set_webhook(channel, source_id) if registrar.is_needed(channel) else None
        return json_response(
            WebhookRegistration(registered=error is None, error=error, webhook_url=url)
        )

    async def unregister(request: Request) -> Response:
        caller, state = await _known(request, offset_required=False)
        try:
            if "offset" not in request.query_params:
                await removal.prepare(caller.workspace_id, state)
                return Response(status_code=204)
            error = await removal.finish(caller.workspace_id, state.source_id)
        except SERVER_AWAY as failure:
            raise Unavailable from failure
        url = webhook_url(public_url, state.channel, state.source_id)
        return json_response(
            WebhookRegistration(registered=error is not None, error=error, webhook_url=url)
        )

    async def _known(request: Request, *, offset_required: bool) -> tuple[Caller, SourceState]:
        caller = caller_of(request)
        check_query(request, ("offset",))
        await read_nothing(request)
        offset = request.query_params.get("offset", "" if offset_required else "0")
        if not offset.isdecimal():
            raise BadRequest("offset: the directory's offset of the source's state is needed")
        await directory.table.wait_for(int(offset), _DIRECTORY_SECONDS)
        known = directory.source(request.path_params["source_id"])
        if known is None or known[0] != caller.workspace_id:
            raise NotFound(TEXTS.say("not-found.source"))
        return caller, known[1]

    async def _set_webhook(channel: Channel, source_id: str) -> str | None:
        try:
            await removal.cancel(source_id)
            return await registrar.register(sources.get(source_id, channel))
        except SERVER_AWAY as failure:
            raise Unavailable from failure

    async def health(request: Request) -> Response:
        _, state = await _known(request, offset_required=False)
        try:
            source = sources.get(state.source_id, state.channel)
            return json_response(await registrar.health(source))
        except SERVER_AWAY as failure:
            raise Unavailable from failure

    path = "/internal/v1/sources/{source_id}"
    return [
        Route(f"{path}/health", health, methods=["GET"]),
        Route(f"{path}/register", register, methods=["POST"]),
        Route(f"{path}/unregister", unregister, methods=["POST"]),
    ]
