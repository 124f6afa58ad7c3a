"""Who calls, and what their role lets them do: asked of the directory for every request."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from libs.events.actions import Action
from libs.events.directory import MemberState
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.http import client_of
from libs.runtime.language import default_to
from libs.runtime.problems import Forbidden, Unauthorized
from libs.runtime.strangers import Strangers
from services.gateway.accounts.sessions import Principal, Sessions
from services.gateway.localization import TEXTS
from services.gateway.quotas import Quotas


class SignInNeeded(Unauthorized):
    def response(self) -> Response:
        answer = super().response()
        answer.headers["www-authenticate"] = 'Bearer realm="parley"'
        return answer


class PasswordIsTemporary(Forbidden):
    """Somebody else has seen it: it opens nothing but the choice of another."""

    kind, title, texts = "password-is-temporary", "Choose a password of your own first", TEXTS


@dataclass(frozen=True, slots=True)
class Actor:
    """The member on whose behalf a request is made, with their workspace's directory."""

    principal: Principal
    member: MemberState
    directory: WorkspaceDirectory
    actions: frozenset[str]

    @property
    def workspace_id(self) -> str:
        return self.principal.workspace_id

    @property
    def member_id(self) -> str:
        return self.principal.member_id

    def must(self, action: Action | None) -> "Actor":
        """This actor. Errors: Forbidden where their role may not do the action."""
        if action is not None and action not in self.actions:
            role = TEXTS.say(f"role.{self.member.role}")
            raise Forbidden(TEXTS.say("forbidden.role", {"role": role}), action=action.value)
        return self


class Access:
    def __init__(
        self, sessions: Sessions, directory: Directory, quotas: Quotas, strangers: Strangers
    ) -> None:
        self._sessions = sessions
        self._directory = directory
        self._strangers = strangers
        self.quotas = quotas

    async def actor(self, connection: HTTPConnection, *, with_any_password: bool = False) -> Actor:
        """Who brings the token in the headers. ``with_any_password``: also a temporary one.

        Errors: SignInNeeded (401), QuotaUsed and TooMany (429), Unavailable, PasswordIsTemporary
        (403).
        """
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise SignInNeeded(TEXTS.say("sign-in.no-token"))
        address = client_of(connection)
        actor = await self.actor_of(token.strip(), address, with_any_password=with_any_password)
        self.quotas.take(actor.principal)
        return actor

    async def in_person(
        self, connection: HTTPConnection, *, with_any_password: bool = False
    ) -> Actor:
        """Somebody who signed in: for what an API token must not do, lest it outlive itself or
        its limits. Errors: Forbidden, and those of ``actor``."""
        actor = await self.actor(connection, with_any_password=with_any_password)
        if actor.principal.kind != "session":
            raise Forbidden(TEXTS.say("forbidden.api-token"))
        return actor

    async def actor_of(self, token: str, address: str, *, with_any_password: bool = False) -> Actor:
        """Errors: as of ``actor``."""
        is_marked = self._sessions.is_marked(token)
        if not is_marked:
            self._strangers.check(address)
        principal = await self._sessions.find(token)
        actor = self.seen_as(principal) if principal else None
        if actor is None:
            if principal is None and not is_marked:
                await self._strangers.refuse(address)
            # Before the directory is read, nobody is known to be gone.
            await self._directory.table.check()
            raise SignInNeeded(TEXTS.say("sign-in.token-gone"))
        default_to(actor.directory.language_of(actor.member))
        if actor.principal.must_change_password and not with_any_password:
            raise PasswordIsTemporary
        return actor

    def seen_as(self, principal: Principal) -> Actor | None:
        """None where the member is gone or not active."""
        directory = self._directory.of(principal.workspace_id)
        member = directory.members.get(principal.member_id)
        if member is None or not member.active:
            return None
        actions = directory.actions_of(member)
        # A token has at most what it was made with, and never more than its member has by now.
        if principal.scope is not None:
            actions &= principal.scope
        return Actor(principal, member, directory, actions)
