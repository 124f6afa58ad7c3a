"""Passing on: who asks and whether they may is checked here, the rest is the other service's."""

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.runtime.http import read_limited
from libs.runtime.problems import Forbidden, Problem, TooLarge, Unavailable
from services.gateway.access import Access
from services.gateway.api.routes import Endpoint, Problems
from services.gateway.localization import TEXTS
from services.gateway.quotas import takes_long
from services.gateway.upstream import Upstream, path_id

BODY_BYTES: Final = 1_000_000
REFUSED: Final = 400
ANSWERED: Final[Problems] = (Forbidden, Unavailable)


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Makes endpoints that check who asks and pass the rest to one service."""

    access: Access
    upstream: Upstream

    def to(self, path: str, action: Action | None, *, takes_body: bool = False) -> Endpoint:
        """``path``: the service's, with ``{id}`` (or others) for those in the request's path."""

        async def endpoint(request: Request) -> Response:
            actor = (await self.access.actor(request)).must(action)
            body = await read_body(request) if takes_body else None
            there = path.format(**{name: path_id(request, name) for name in request.path_params})
            if not takes_long(request):
                return await self.upstream.pass_on(request, actor, there, body)
            async with self.access.quotas.long_turn(actor.workspace_id):
                return await self.upstream.pass_on(request, actor, there, body)

        return endpoint


class PassedOn(Problem):
    """A refusal of another service, as it was."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self._answer = answer

    def response(self) -> Response:
        return self._answer


async def read_body(request: Request) -> bytes:
    """Errors: TooLarge."""
    body = await read_limited(request, BODY_BYTES)
    if body is None:
        raise TooLarge(TEXTS.say("too-large.bytes", {"limit": BODY_BYTES}))
    return body
