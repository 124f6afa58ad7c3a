"""The directory: read from memory, changed through routing, and shown to who changed it."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.api.directory import OFFSET_HEADER, ChangeMe, SourceHealth, WebhookRegistration
from libs.events.api.values import PageLimit
from libs.events.channels import capabilities_of
from libs.events.directory import MemberState, SourceState
from libs.events.reach import reach_of
from libs.events.registry import Body
from libs.runtime.bodies import BodyReader, read_query
from libs.runtime.directory import Directory
from libs.runtime.http import json_response
from libs.runtime.problems import Conflict, Forbidden, NotFound, TooMany, Unavailable
from services.gateway.access import Access, Actor
from services.gateway.accounts.accounts import Accounts
from services.gateway.accounts.passwords import derived_password
from services.gateway.accounts.sessions import Sessions
from services.gateway.api.directory_entries import KINDS, MEMBERS, SOURCES, EntryKind
from services.gateway.api.passing import REFUSED, read_body
from services.gateway.api.routes import PAGE, Endpoint, Routes
from services.gateway.api.shapes import (
    ConnectedSource,
    CreatedMember,
    ResetPassword,
    SourceView,
    TemporaryPassword,
    Webhook,
)
from services.gateway.localization import TEXTS
from services.gateway.upstream import Upstream, passed_on, path_id

_PAGE_DEFAULT: Final = 100
_REMOVING: Final = {
    "members": "Deactivate a member; their sessions and API tokens end",
    "sources": "Disconnect a source; its conversations stay",
    "labels": "Offer a label no longer; cases that have it keep it",
    "fields": "Offer a custom field no longer; what it says stays",
}


class _PageQuery(Body):
    cursor: str | None = None
    limit: PageLimit = _PAGE_DEFAULT


@dataclass(frozen=True, slots=True)
class DirectoryApi:
    directory: Directory
    access: Access
    accounts: Accounts
    sessions: Sessions
    routing: Upstream
    ingest: Upstream
    ingest_public_url: str
    wait_seconds: float
    # What first passwords are derived with, where they have to be the same again.
    password_key: bytes
    resetting: BodyReader[ResetPassword] = field(default_factory=lambda: BodyReader(ResetPassword))

    def add_to(self, routes: Routes) -> None:
        for kind in KINDS:
            path, item, what = f"/v1/{kind.path}", f"/v1/{kind.path}/{{id}}", kind.one.lower()
            refusals = (Forbidden, Conflict, Unavailable)
            routes.add(
                "GET", path, self._lister(kind),
                name=f"list{kind.one}s", summary=f"The {what}s of the workspace",
                answer=kind.page, query=PAGE, problems=(Forbidden,),
            )  # fmt: skip
            routes.add(
                "GET", item, self._getter(kind),
                name=f"get{kind.one}", summary=f"One {what}",
                answer=kind.state, problems=(Forbidden,),
            )  # fmt: skip
            routes.add(
                "POST", path, self._adder(kind),
                name=f"create{kind.one}", summary=f"Add a {what}", status=201,
                body=kind.adding, answer=kind.created, problems=refusals,
            )  # fmt: skip
            is_source = kind is SOURCES
            routes.add(
                "PATCH", item, self._changer(kind),
                name=f"change{kind.one}", summary=f"Change a {what}",
                body=kind.changing, answer=kind.created if is_source else kind.state,
                problems=refusals,
            )  # fmt: skip
            routes.add(
                "DELETE", item, self._disconnect if is_source else self._remover(kind),
                name=f"remove{kind.one}", problems=refusals,
                status=200 if is_source else 204, answer=ConnectedSource if is_source else None,
                summary=_REMOVING.get(kind.path, f"Remove a {what}"),
            )  # fmt: skip
        routes.add(
            "POST", "/v1/members/{id}/password", self._reset_password,
            name="resetPassword", summary="Give a member another password, shown this once",
            description="A temporary one. Their sessions end. For members in person, and of "
            "members who have no more rights than oneself.",
            body=ResetPassword, answer=TemporaryPassword,
            problems=(Forbidden, Conflict, TooMany, Unavailable),
        )  # fmt: skip
        routes.add(
            "PATCH", "/v1/me", self._change_me,
            name="changeMe", summary="Choose the language that I am spoken to in",
            description="Of problems, system messages and e-mails. `Accept-Language` goes before.",
            body=ChangeMe, answer=MemberState, problems=(Unavailable,),
        )  # fmt: skip
        routes.add(
            "POST", "/v1/sources/{id}/register", self._register,
            name="registerSource", summary="Ask the platform again to send its updates", once=False,
            answer=ConnectedSource, problems=(Forbidden, Unavailable),
        )  # fmt: skip
        routes.add(
            "GET", "/v1/sources/{id}/health", self._health,
            name="getSourceHealth", summary="Whether a source's platform sends its updates here",
            answer=SourceHealth, problems=(Forbidden, Unavailable),
        )  # fmt: skip

    def _lister(self, kind: EntryKind) -> Endpoint:
        async def list_entries(request: Request) -> Response:
            actor = (await self.access.actor(request)).must(Action.READ)
            asked = read_query(request, _PageQuery)
            entries, following = kind.page_of(actor, asked.cursor, asked.limit)
            items = tuple(self._view(entry) for entry in entries)
            return json_response(kind.page(items=items, next=following))

        return list_entries

    def _getter(self, kind: EntryKind) -> Endpoint:
        async def get_entry(request: Request) -> Response:
            actor = (await self.access.actor(request)).must(Action.READ)
            return json_response(self._view(_found(kind, actor, path_id(request))))

        return get_entry

    def _adder(self, kind: EntryKind) -> Endpoint:
        async def add_entry(request: Request) -> Response:
            actor, answer = await self.write(request, f"/v1/{kind.path}", in_person=kind is MEMBERS)
            if answer.status_code >= REFUSED:
                return answer
            entry_id = msgspec.json.decode(bytes(answer.body))[kind.id_field]
            view = self._view(_found(kind, actor, entry_id))
            if kind is MEMBERS:
                view = await self._with_account(actor, view, request.headers.get("idempotency-key"))
            elif kind is SOURCES:
                view = await self._with_webhook(
                    actor, view, _registering(view.source_id, answer.headers[OFFSET_HEADER])
                )
            return json_response(view, 201)

        return add_entry

    def _changer(self, kind: EntryKind) -> Endpoint:
        async def change_entry(request: Request) -> Response:
            entry_id = path_id(request)
            actor, answer = await self.write(
                request, f"/v1/{kind.path}/{entry_id}", in_person=kind is MEMBERS
            )
            if answer.status_code >= REFUSED:
                return answer
            entry = _found(kind, actor, entry_id)
            if isinstance(entry, MemberState):
                await self.accounts.follow_email(actor.workspace_id, entry_id, entry.email)
                if not entry.active:
                    await self.sessions.end_all_of(actor.workspace_id, entry_id)
            if isinstance(entry, SourceState) and entry.connected:
                path = _registering(entry_id, answer.headers[OFFSET_HEADER])
                return json_response(await self._with_webhook(actor, self._view(entry), path))
            return json_response(self._view(entry))

        return change_entry

    def _remover(self, kind: EntryKind) -> Endpoint:
        async def remove_entry(request: Request) -> Response:
            entry_id = path_id(request)
            actor, answer = await self.write(
                request, f"/v1/{kind.path}/{entry_id}", in_person=kind is MEMBERS
            )
            if answer.status_code >= REFUSED:
                return answer
            if kind is MEMBERS:
                await self.sessions.end_all_of(actor.workspace_id, entry_id)
            return Response(status_code=204)

        return remove_entry

    async def _disconnect(self, request: Request) -> Response:
        """The platform is told too, and what it said; the source is disconnected all the same."""
        source_id = path_id(request)
        actor = (await self.access.actor(request)).must(Action.MANAGE_DIRECTORY)
        _found(SOURCES, actor, source_id)
        path = f"/internal/v1/sources/{source_id}/unregister"
        # Its credentials are forgotten with it: what has to be done with them is noted before.
        _, not_noted = await self._ask_ingest(actor, path)
        actor, answer = await self.write(request, f"/v1/sources/{source_id}")
        if answer.status_code >= REFUSED:
            return answer
        view = self._view(_found(SOURCES, actor, source_id))
        if not_noted is not None:
            return json_response(_with(view, registered=True, error=not_noted))
        path += f"?offset={answer.headers[OFFSET_HEADER]}"
        return json_response(await self._with_webhook(actor, view, path, otherwise=True))

    async def _change_me(self, request: Request) -> Response:
        actor, answer = await self.write(request, "/v1/me", None)
        if answer.status_code >= REFUSED:
            return answer
        return json_response(_found(MEMBERS, actor, actor.member_id))

    async def _register(self, request: Request) -> Response:
        actor = (await self.access.actor(request)).must(Action.MANAGE_DIRECTORY)
        source = _found(SOURCES, actor, path_id(request))
        newest = str(max(0, self.directory.table.position - 1))
        path = _registering(source.source_id, newest)
        return json_response(await self._with_webhook(actor, self._view(source), path))

    async def _health(self, request: Request) -> Response:
        actor = (await self.access.actor(request)).must(Action.READ)
        source = _found(SOURCES, actor, path_id(request))
        if not source.connected:
            url, error = self._view(source).webhook_url, TEXTS.say("source.disconnected")
            return json_response(SourceHealth(registered=False, webhook_url=url, error=error))
        path = f"/internal/v1/sources/{source.source_id}/health"
        status, body, headers = await self.ingest.call("GET", path, actor=actor)
        return passed_on(status, body, headers)

    async def write(
        self,
        request: Request,
        path: str,
        action: Action | None = Action.MANAGE_DIRECTORY,
        *,
        in_person: bool = False,
    ) -> tuple[Actor, Response]:
        """Routing's answer, once this replica shows the change."""
        asking = self.access.in_person if in_person else self.access.actor
        actor = (await asking(request)).must(action)
        body = None if request.method == "DELETE" else await read_body(request)
        key = request.headers.get("idempotency-key")
        status, content, headers = await self.routing.call(
            request.method,
            path,
            actor=actor,
            body=body,
            headers={"idempotency-key": key} if key is not None else None,
        )
        answer = passed_on(status, content, headers)
        if status < REFUSED:
            offset = headers[OFFSET_HEADER]
            answer.headers[OFFSET_HEADER] = offset
            await self.directory.table.wait_for(int(offset), self.wait_seconds)
        return actor, answer

    async def _reset_password(self, request: Request) -> Response:
        """Also where the account is missing, because a process died before it was made."""
        actor = (await self.access.in_person(request)).must(Action.MANAGE_DIRECTORY)
        member: MemberState = _found(MEMBERS, actor, path_id(request))
        asked, _ = await self.resetting.read(request)
        if member.member_id == actor.member_id:
            raise Forbidden(TEXTS.say("forbidden.own-password"))
        if not member.active:
            raise Conflict(TEXTS.say("conflict.member-inactive"))
        own, theirs = (
            reach_of(one, actor.directory.roles[one.role].actions) for one in (actor.member, member)
        )
        if not own.covers(theirs):
            raise Forbidden(TEXTS.say("forbidden.above"))
        account = await self.accounts.of_member(actor.workspace_id, member.member_id)
        if account is None:
            password = (await self._with_account(actor, member, None)).password or ""
        else:
            password = await self.accounts.give_another_password(account)
        await self.sessions.end_all_of(
            actor.workspace_id, member.member_id, api_tokens=asked.end_api_tokens
        )
        return json_response(TemporaryPassword(member_id=member.member_id, password=password))

    async def _with_account(
        self, actor: Actor, member: MemberState, key: str | None
    ) -> CreatedMember:
        """With the password that is shown once; with an ``Idempotency-Key`` each repeat shows it,
        for as long as it is the account's, for the first answer may have been lost."""
        password = key and derived_password(
            self.password_key, actor.workspace_id, actor.member_id, member.member_id, key
        )
        account = await self.accounts.of_member(actor.workspace_id, member.member_id)
        if account is not None:
            if not password or not await self.accounts.is_still(account, password):
                password = None
        else:
            stale = await self.accounts.of_email(actor.workspace_id, member.email)
            former = actor.directory.members.get(stale.member_id) if stale else None
            if former is not None:
                # A crash came between its member's change of address and the account's.
                await self.accounts.follow_email(actor.workspace_id, former.member_id, former.email)
            password = await self.accounts.create(
                actor.workspace_id,
                member.member_id,
                member.email,
                temporary=True,
                password=password,
            )
        return CreatedMember(**msgspec.structs.asdict(member), password=password)

    async def _with_webhook(
        self, actor: Actor, source: SourceView, path: str, *, otherwise: bool = False
    ) -> ConnectedSource:
        """What the platform says to its webhook; a connection stands, or ends, whatever it says.

        ``otherwise``: whether it is taken to be registered where ingest does not say.
        """
        body, error = await self._ask_ingest(actor, path)
        if error is not None:
            return _with(source, registered=otherwise, error=error)
        answer = msgspec.json.decode(body, type=WebhookRegistration)
        return _with(source, registered=answer.registered, error=answer.error)

    async def _ask_ingest(self, actor: Actor, path: str) -> tuple[bytes, str | None]:
        """Its answer, or why there is none."""
        try:
            status, body, _ = await self.ingest.call("POST", path, actor=actor)
        except Unavailable as unavailable:
            return b"", unavailable.detail
        if status >= REFUSED:
            return b"", TEXTS.say("webhook.not-asked", {"status": status})
        return body, None

    def _view(self, entry: Any) -> Any:
        if not isinstance(entry, SourceState):
            return entry
        return SourceView(
            source_id=entry.source_id,
            channel=entry.channel,
            name=entry.name,
            location_id=entry.location_id,
            account=entry.account,
            connected=entry.connected,
            allowed_origins=entry.allowed_origins,
            webhook_url=f"{self.ingest_public_url}/hooks/{entry.channel}/{entry.source_id}",
            capabilities=capabilities_of(entry.channel),
        )


def _found(kind: EntryKind, actor: Actor, entry_id: str) -> Any:
    """Errors: NotFound."""
    entry = kind.find(actor, entry_id)
    if entry is None:
        raise NotFound
    return entry


def _registering(source_id: str, offset: str) -> str:
    return f"/internal/v1/sources/{source_id}/register?offset={offset}"


def _with(source: SourceView, *, registered: bool, error: str | None) -> ConnectedSource:
    webhook = Webhook(registered=registered, url=source.webhook_url, error=error)
    return ConnectedSource(**msgspec.structs.asdict(source), webhook=webhook)
