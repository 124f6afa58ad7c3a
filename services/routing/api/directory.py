"""The directory over HTTP, for the gateway. Reads are not here: who reads follows the topic."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.aggregates.application import StillInConflict
from libs.events.api import directory as asked
from libs.events.api.directory import OFFSET_HEADER, FirstStates
from libs.events.directory import (
    DirectoryState,
    LocationState,
    MemberState,
    SourceState,
    WorkspaceState,
)
from libs.events.ids import IdKey, random_id
from libs.runtime.away import SERVER_AWAY
from libs.runtime.bodies import BodyReader, invalid_field, read_nothing
from libs.runtime.http import json_response
from libs.runtime.idempotency import Answers
from libs.runtime.problems import Conflict, Forbidden, NotFound, Unavailable
from libs.runtime.tokens import Caller
from libs.runtime.trust import caller_of
from services.routing.commands.directory import ChangedDirectory, DirectoryCommandHandler
from services.routing.domain import catalogue, members, rules
from services.routing.domain.authority import within
from services.routing.domain.directory import Rule
from services.routing.domain.errors import Beyond, Clash, InvalidValue, NotThere
from services.routing.domain.events import DirectoryEvent
from services.routing.domain.sources import SourceRules
from services.routing.domain.workspace import Workspace
from services.routing.localization import TEXTS
from services.routing.metrics import CHANGES

_CREATED: Final = 201
_NOT_NOW: Final[tuple[type[Exception], ...]] = (StillInConflict, *SERVER_AWAY)

# A rule with what it is asked besides the directory.
Asking = Callable[..., Sequence[DirectoryEvent]]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of entry: its path, its ids' prefix, its bodies, its rules.

    The rules are called with the workspace, the entry's id and the body's fields. ``stays``: what
    is left after a DELETE, for the answer; None where nothing is.
    """

    path: str
    prefix: str
    adding: BodyReader[Any]
    changing: BodyReader[Any]
    add: Asking
    change: Asking
    remove: Asking
    find: Callable[[Workspace, str], DirectoryState]
    stays: bool = False


def _resources(sources: SourceRules) -> list[Resource]:
    return [
        Resource(
            "locations",
            "loc",
            BodyReader(asked.NewLocation),
            BodyReader(asked.ChangeLocation),
            rules.add_location,
            rules.change_location,
            rules.remove_location,
            Workspace.location,
        ),
        Resource(
            "members",
            "mbr",
            BodyReader(asked.NewMember),
            BodyReader(asked.ChangeMember),
            members.add_member,
            members.change_member,
            members.deactivate_member,
            Workspace.member,
            stays=True,
        ),
        Resource(
            "groups",
            "grp",
            BodyReader(asked.NewGroup),
            BodyReader(asked.ChangeGroup),
            rules.add_group,
            rules.change_group,
            rules.remove_group,
            Workspace.group,
        ),
        Resource(
            "sources",
            "src",
            BodyReader(asked.NewSource),
            BodyReader(asked.ChangeSource),
            sources.connect,
            sources.change,
            sources.disconnect,
            Workspace.source,
            stays=True,
        ),
        Resource(
            "autoforwards",
            "afw",
            BodyReader(asked.NewAutoforward),
            BodyReader(asked.ChangeAutoforward),
            rules.set_autoforward,
            rules.change_autoforward,
            rules.remove_autoforward,
            Workspace.autoforward,
        ),
        Resource(
            "labels",
            "lbl",
            BodyReader(asked.NewLabel),
            BodyReader(asked.ChangeLabel),
            catalogue.add_label,
            catalogue.change_label,
            catalogue.remove_label,
            Workspace.label,
            stays=True,
        ),
        Resource(
            "fields",
            "fld",
            BodyReader(asked.NewField),
            BodyReader(asked.ChangeField),
            catalogue.add_field,
            catalogue.change_field,
            catalogue.remove_field,
            Workspace.field,
            stays=True,
        ),
    ]


class DirectoryApi:
    """The routes. ``ids`` derives the ids of new entries from the cause that makes them."""

    def __init__(
        self,
        commands: DirectoryCommandHandler,
        sources: SourceRules,
        answers: Answers,
        ids: IdKey,
    ) -> None:
        self._commands = commands
        self._sources = sources
        self._answers = answers
        self._ids = ids
        self._opening = BodyReader(asked.OpenWorkspace)
        self._changing_me = BodyReader(asked.ChangeMe)

    def add_to(self, app: FastAPI) -> None:
        app.add_route("/v1/workspaces", self.open_workspace, ["POST"])
        app.add_route("/v1/me", self.change_me, ["PATCH"])
        for one in _resources(self._sources):
            path, item = f"/v1/{one.path}", f"/v1/{one.path}/{{entry_id}}"
            app.add_route(path, self._adder(one), ["POST"])
            app.add_route(item, self._changer(one), ["PATCH"])
            app.add_route(item, self._remover(one), ["DELETE"])

    async def open_workspace(self, request: Request) -> Response:
        """A workspace with its first location, its owner and its roles."""
        caller = caller_of(request)
        body, raw = await self._opening.read(request)

        async def work(cause: str) -> Response:
            with _problems():
                changed = await self._commands.change(
                    self._ids.derive("wsp", cause),
                    cause,
                    lambda there: rules.open_workspace(
                        there,
                        location_id=self._ids.derive("loc", cause),
                        owner_id=self._ids.derive("mbr", cause),
                        **msgspec.structs.asdict(body),
                    ),
                    opening=True,
                )
            CHANGES.labels("open_workspace").inc()
            shown = FirstStates(
                workspace=next(s for s in changed.states if isinstance(s, WorkspaceState)),
                location=next(s for s in changed.states if isinstance(s, LocationState)),
                owner=next(s for s in changed.states if isinstance(s, MemberState)),
            )
            return answered(shown, _CREATED, changed)

        return await self._answers.once(request, caller, raw, work)

    async def change_me(self, request: Request) -> Response:
        """What members may change of themselves, whatever their role."""
        caller = caller_of(request)
        wanted, _raw = await self._changing_me.read(request)
        changed = await self.changed(
            caller,
            random_id("req"),
            "change_me",
            lambda there: members.change_member(there, caller.member_id, language=wanted.language),
        )
        return answered(changed.workspace.member(caller.member_id), 200, changed)

    def _adder(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def add(request: Request) -> Response:
            caller = caller_of(request)
            body, raw = await resource.adding.read(request)
            fields = msgspec.structs.asdict(body)

            async def work(cause: str) -> Response:
                entry_id = self._ids.derive(resource.prefix, caller.workspace_id, cause)
                changed = await self.changed(
                    caller,
                    cause,
                    f"add_{resource.path}",
                    lambda there: resource.add(there, entry_id, **fields),
                )
                return answered(_shown(changed.states[-1]), _CREATED, changed)

            return await self._answers.once(request, caller, raw, work)

        return add

    def _changer(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def change(request: Request) -> Response:
            caller, entry_id = caller_of(request), request.path_params["entry_id"]
            body, _raw = await resource.changing.read(request)
            fields = msgspec.structs.asdict(body)
            changed = await self.changed(
                caller,
                random_id("req"),
                f"change_{resource.path}",
                lambda there: resource.change(there, entry_id, **fields),
            )
            return answered(_shown(resource.find(changed.workspace, entry_id)), 200, changed)

        return change

    def _remover(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def remove(request: Request) -> Response:
            caller, entry_id = caller_of(request), request.path_params["entry_id"]
            await read_nothing(request)
            changed = await self.changed(
                caller,
                random_id("req"),
                f"remove_{resource.path}",
                lambda there: resource.remove(there, entry_id),
            )
            if resource.stays:
                return answered(_shown(resource.find(changed.workspace, entry_id)), 200, changed)
            return Response(status_code=204, headers={OFFSET_HEADER: str(changed.offset)})

        return remove

    async def changed(
        self, caller: Caller, cause: str, operation: str, rule: Rule
    ) -> ChangedDirectory:
        """``rule`` is applied, as far as the caller's own rights go. Errors: the directory's
        refusals, as problems."""
        with _problems():
            changed = await self._commands.change(
                caller.workspace_id,
                cause,
                lambda there: within(there, caller.member_id, rule(there)),
            )
        CHANGES.labels(operation).inc()
        return changed


@contextmanager
def _problems() -> Iterator[None]:
    """What the directory refuses, as HTTP says it."""
    try:
        yield
    except InvalidValue as error:
        told = TEXTS.say(f"invalid.{error.key}", error.variables)
        raise invalid_field(error.field, told) from error
    except NotThere as error:
        raise NotFound from error
    except Beyond as error:
        raise Forbidden(TEXTS.say("forbidden.more-than-own")) from error
    except Clash as error:
        raise Conflict(TEXTS.say(f"conflict.{error.key}", error.variables)) from error
    except _NOT_NOW as error:
        raise Unavailable(TEXTS.say("unavailable.directory")) from error


def _shown(state: DirectoryState) -> DirectoryState:
    """Without what only ingest is to have."""
    if isinstance(state, SourceState):
        return msgspec.structs.replace(state, sealed_credentials=None)
    return state


def answered(shown: object, status: int, changed: ChangedDirectory) -> Response:
    """With how far a reader of the directory has to be to see it."""
    response = json_response(shown, status)
    response.headers[OFFSET_HEADER] = str(changed.offset)
    return response
