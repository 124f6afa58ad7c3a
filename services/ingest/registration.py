"""Telling a platform where our webhook is, once this replica knows the source."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.events.api.directory import WebhookRegistration
from libs.events.content import Channel
from libs.runtime.directory import Directory
from libs.runtime.http import json_response
from libs.runtime.problems import BadRequest, NotFound
from libs.runtime.tokens import Caller
from services.ingest.channels.telegram import api
from services.ingest.sources import SourceBook

_DIRECTORY_SECONDS: Final = 10.0


def register_route(
    directory: Directory,
    sources: SourceBook,
    bots: api.BotApi,
    public_url: str,
    caller_of: Callable[[Request], Caller],
) -> Route:
    """``POST /internal/v1/sources/{source_id}/register?offset=``: the offset of its state.

    Answers 200 also where the platform refused; it may be asked again. Errors: 400, 401, 404, 503.
    """

    async def register(request: Request) -> Response:
        caller = caller_of(request)
        offset = request.query_params.get("offset", "")
        if not offset.isdecimal():
            raise BadRequest("offset: the directory's offset of the source's state is needed")
        await directory.table.wait_for(int(offset), _DIRECTORY_SECONDS)
        source_id = request.path_params["source_id"]
        known = directory.source(source_id)
        if known is None or known[0] != caller.workspace_id:
            raise NotFound("no such source")
        channel = known[1].channel
        url = f"{public_url.rstrip('/')}/hooks/{channel.value}/{source_id}"
        # The widget's pages know the address from the script's own: nobody is to be told.
        error = await _set_webhook(source_id, url) if channel is Channel.TELEGRAM else None
        return json_response(
            WebhookRegistration(registered=error is None, error=error, webhook_url=url)
        )

    async def _set_webhook(source_id: str, url: str) -> str | None:
        credentials = sources.get(source_id, Channel.TELEGRAM).credentials
        try:
            await bots.set_webhook(credentials.bot_token, url, credentials.secret_token)
        except api.Refused as refusal:
            return refusal.description or f"error {refusal.code}"
        except api.TooMany as pause:
            return f"Too Many Requests: retry after {pause.retry_after}"
        except (api.NotReached, api.NoAnswer) as failure:
            return f"Telegram was not reached ({failure})"
        return None

    return Route("/internal/v1/sources/{source_id}/register", register, methods=["POST"])
