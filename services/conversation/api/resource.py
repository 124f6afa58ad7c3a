"""How a resource's endpoints are declared, and answered: parse, call, answer.

Plain routes: solving a web framework's dependencies was a quarter of the CPU of each request, and
nobody outside reads a description of this API. An endpoint is a function of its resource, with the
handler that the composition root made, and of the request.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.values import PageLimit
from libs.events.registry import Body
from libs.runtime.bodies import BodyReader, read_nothing
from libs.runtime.http import json_response
from libs.runtime.idempotency import Answers, Personal
from libs.runtime.trust import caller_of
from services.conversation.commands.answers import Answer
from services.conversation.read_models.member import MemberContext, Members

DEFAULT_PAGE: Final = 50

type Endpoint[H] = Callable[[Resource[H], Request], Awaitable[Response]]
type Routes[H] = Sequence[tuple[str, str, Endpoint[H]]]


class PageQuery(Body):
    cursor: str | None = None
    limit: PageLimit = DEFAULT_PAGE


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests about one of many things, a conversation or a customer.

    ``path_name``: of the thing's id in paths. ``may_see``: raises where who asks does not see the
    thing any longer, and so is not to get the answer that was given before.
    """

    members: Members
    answers: Answers
    path_name: str
    may_see: Callable[[MemberContext, str], Awaitable[object]]

    def actor(self, request: Request) -> MemberContext:
        """Errors: Unavailable."""
        return self.members.of(caller_of(request))

    def id_of(self, request: Request) -> str:
        one: str = request.path_params[self.path_name]
        return one

    async def once(
        self,
        request: Request,
        raw: bytes,
        handle: Callable[[MemberContext, str, str], Awaitable[Answer[Any]]],
        status: int = 200,
    ) -> Response:
        """What the command is answered with, the same for the same ``Idempotency-Key``.

        ``raw``: the request's body; ``handle`` gets the member, the thing's id and the cause.
        Errors: those of ``Answers.once``.
        """
        caller, one = caller_of(request), self.id_of(request)

        async def work(cause: str) -> Response:
            answer = await handle(self.members.of(caller), one, cause)
            return Personal(json_response(answer.body, status), answer.told_of)

        async def may_see() -> object:
            return await self.may_see(self.members.of(caller), one)

        return await self.answers.once(request, caller, raw, work, may_see)


@dataclass(frozen=True, slots=True)
class Resource[H]:
    """``handler``: of the queries and commands that the endpoints call."""

    handler: H
    requests: Requests


def add_routes[H](app: FastAPI, resource: Resource[H], routes: Routes[H]) -> None:
    """In this order: a request is compared with one after the other."""
    for method, path, endpoint in routes:
        app.add_route(path, partial(endpoint, resource), [method])


def acting[H](
    act: Callable[[H, MemberContext, str, str], Awaitable[Answer[Any]]],
) -> Endpoint[H]:
    """A command without a body: ``act(handler, member, id, cause)``."""

    async def endpoint(resource: Resource[H], request: Request) -> Response:
        raw = await read_nothing(request)
        return await resource.requests.once(request, raw, partial(act, resource.handler))

    return endpoint


def acting_with[H, T](
    body_type: type[T],
    act: Callable[[H, MemberContext, str, str, T], Awaitable[Answer[Any]]],
    status: int = 200,
) -> Endpoint[H]:
    """A command with a body: ``act(handler, member, id, cause, body)``."""
    reader = BodyReader(body_type)

    async def endpoint(resource: Resource[H], request: Request) -> Response:
        body, raw = await reader.read(request)
        return await resource.requests.once(
            request,
            raw,
            lambda actor, one, cause: act(resource.handler, actor, one, cause, body),
            status,
        )

    return endpoint


def acting_within[H](
    inner_name: str,
    act: Callable[[H, MemberContext, str, str, str], Awaitable[Answer[Any]]],
    status: int = 200,
) -> Endpoint[H]:
    """A command without a body on what is in the thing, such as a message in a conversation:
    ``act(handler, member, id, inner id, cause)``."""

    async def endpoint(resource: Resource[H], request: Request) -> Response:
        inner, raw = request.path_params[inner_name], await read_nothing(request)
        return await resource.requests.once(
            request,
            raw,
            lambda actor, one, cause: act(resource.handler, actor, one, inner, cause),
            status,
        )

    return endpoint


def acting_within_with[H, T](
    inner_name: str,
    body_type: type[T],
    act: Callable[[H, MemberContext, str, str, str, T], Awaitable[Answer[Any]]],
) -> Endpoint[H]:
    """The same with a body: ``act(handler, member, id, inner id, cause, body)``."""
    reader = BodyReader(body_type)

    async def endpoint(resource: Resource[H], request: Request) -> Response:
        inner, (body, raw) = request.path_params[inner_name], await reader.read(request)
        return await resource.requests.once(
            request,
            raw,
            lambda actor, one, cause: act(resource.handler, actor, one, inner, cause, body),
        )

    return endpoint
