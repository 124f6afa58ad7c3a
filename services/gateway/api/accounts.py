"""Signing in and out, one's own account, API tokens."""

import hmac
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from libs.events.directory import WorkspaceState
from libs.runtime.bodies import BodyReader, invalid_field
from libs.runtime.http import client_of, json_response
from libs.runtime.idempotency import key_of, key_used
from libs.runtime.problems import Conflict, Forbidden, NotFound, TooMany, Unavailable
from services.gateway.access import Access, Actor
from services.gateway.accounts.accounts import Accounts, WorkspaceNeeded, WrongSignIn
from services.gateway.accounts.devices import COOKIE, LIFETIME, Devices
from services.gateway.accounts.sessions import (
    API_TOKEN_LIFETIME,
    API_TOKENS_AT_MOST,
    Principal,
    Sessions,
)
from services.gateway.api.permissions import permissions_of
from services.gateway.api.routes import Routes
from services.gateway.api.shapes import (
    ApiTokens,
    ApiTokenView,
    ChangePassword,
    Me,
    NameApiToken,
    NewApiToken,
    SignedIn,
    SignIn,
)
from services.gateway.localization import TEXTS
from services.gateway.upstream import path_id

_BODY_BYTES: Final = 16 * 1024
_NAME_CHARACTERS: Final = 100
_SIGN_IN: Final = "/v1/sign-in"
_DEVICE_COOKIE: Final[dict[str, Any]] = {
    "name": COOKIE,
    "in": "cookie",
    "description": "What an earlier sign-in on this device set; sealed, it opens nothing.",
    "schema": {"type": "string"},
}
_SETS_DEVICE: Final[dict[str, Any]] = {
    "Set-Cookie": {
        "description": f"`{COOKIE}`: HttpOnly, SameSite=Strict, Secure over https, for a year.",
        "schema": {"type": "string"},
    }
}


def add_account_routes(
    routes: Routes, accounts: Accounts, sessions: Sessions, access: Access, devices: Devices
) -> None:
    signing_in = BodyReader(SignIn, _BODY_BYTES)
    changing = BodyReader(ChangePassword, _BODY_BYTES)
    naming = BodyReader(NameApiToken, _BODY_BYTES)

    async def sign_in(request: Request) -> Response:
        asked, _ = await signing_in.read(request)
        device = request.cookies.get(COOKIE, "")
        account = await accounts.sign_in(
            asked.email, asked.password, asked.workspace_id, client_of(request), device
        )
        actor = access.seen_as(Principal("", "session", account.workspace_id, account.member_id))
        if actor is None:
            raise WrongSignIn
        token, expires_at = await sessions.begin(
            account.workspace_id,
            account.member_id,
            must_change_password=account.password_is_temporary,
        )
        answer = SignedIn(
            token=token,
            expires_at=expires_at,
            workspace=_workspace(actor),
            member=actor.member,
            actions=tuple(sorted(actor.actions)),
            password_is_temporary=account.password_is_temporary,
        )
        response = json_response(answer)
        response.set_cookie(
            COOKIE,
            devices.opened(device, account.account_id),
            max_age=int(LIFETIME.total_seconds()),
            path=_SIGN_IN,
            secure=devices.is_https,
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(request: Request) -> Response:
        actor = await access.in_person(request, with_any_password=True)
        await sessions.end(actor.principal)
        return Response(status_code=204)

    async def me(request: Request) -> Response:
        actor = await access.actor(request, with_any_password=True)
        account = await accounts.of_member(actor.workspace_id, actor.member_id)
        answer = Me(
            workspace=_workspace(actor),
            member=actor.member,
            actions=tuple(sorted(actor.actions)),
            permissions=permissions_of(actor),
            password_is_temporary=account is not None and account.password_is_temporary,
        )
        return json_response(answer)

    async def change_password(request: Request) -> Response:
        actor = await access.in_person(request, with_any_password=True)
        asked, _ = await changing.read(request)
        await accounts.change_password(
            actor.workspace_id,
            actor.member_id,
            asked.current_password,
            asked.new_password,
            (actor.member.email, actor.member.name, _workspace(actor).name),
        )
        await sessions.password_changed(actor.principal, end_api_tokens=asked.end_api_tokens)
        return Response(status_code=204)

    async def create_api_token(request: Request) -> Response:
        actor = await access.in_person(request)
        asked, _ = await naming.read(request)
        name = asked.name.strip()
        if not (0 < len(name) <= _NAME_CHARACTERS and name.isprintable()):
            raise invalid_field("name", TEXTS.say("invalid.name", {"longest": _NAME_CHARACTERS}))
        actions = actor.actions if asked.actions is None else frozenset(asked.actions)
        if not actions <= actor.actions:
            more = ", ".join(sorted(actions - actor.actions))
            raise Forbidden(TEXTS.say("forbidden.scope", {"actions": more}))
        latest = datetime.now(UTC) + API_TOKEN_LIFETIME
        expires_at = asked.expires_at or latest
        if not datetime.now(UTC) < expires_at <= latest:
            raise invalid_field(
                "expires_at", TEXTS.say("invalid.expiry", {"days": API_TOKEN_LIFETIME.days})
            )
        made = await sessions.create_api_token(
            actor.principal, name, actions, expires_at, secret=_secret_of(request)
        )
        if made is None:
            raise Conflict(TEXTS.say("conflict.api-tokens", {"count": API_TOKENS_AT_MOST}))
        token, kept = made
        if (kept.name, frozenset(kept.actions or ())) != (name, actions):
            raise key_used()
        return json_response(NewApiToken(**asdict(kept), token=token), 201)

    async def api_tokens(request: Request) -> Response:
        actor = await access.actor(request)
        kept = await sessions.api_tokens(actor.principal)
        views = tuple(ApiTokenView(**asdict(one)) for one in kept)
        return json_response(ApiTokens(items=views))

    async def delete_api_token(request: Request) -> Response:
        actor = await access.in_person(request)
        if not await sessions.delete_api_token(actor.principal, path_id(request)):
            raise NotFound
        return Response(status_code=204)

    routes.add(
        "POST", _SIGN_IN, sign_in,
        name="signIn", summary="Sign in with e-mail and password",
        description="Too many wrong passwords for an account, from an address or on a device are "
        "429 until `Retry-After`. A browser that has opened the account before brings the cookie "
        f"`{COOKIE}` and is counted by itself: guesses of others do not make it wait. A page of "
        "another allowed origin of the same site asks with `credentials: \"include\"`.",
        body=SignIn, answer=SignedIn, signed_in=False, once=False,
        cookie=_DEVICE_COOKIE, answer_headers=_SETS_DEVICE,
        problems=(WrongSignIn, WorkspaceNeeded, TooMany, Unavailable),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/sign-out", sign_out,
        name="signOut", summary="End this session", status=204, once=False, problems=(Forbidden,),
    )  # fmt: skip
    routes.add(
        "GET", "/v1/me", me,
        name="getMe", summary="Who I am, and what I may do where", answer=Me,
    )  # fmt: skip
    routes.add(
        "POST", "/v1/me/password", change_password,
        name="changePassword", summary="Change my password; my other sessions end",
        description="The first thing to do with a password that somebody else has given: before "
        "nothing else is answered but `GET /v1/me` and signing out.",
        status=204, body=ChangePassword, once=False,
        problems=(Forbidden, Conflict, TooMany),
    )  # fmt: skip
    routes.add(
        "POST", "/v1/api-tokens", create_api_token,
        name="createApiToken", summary="Make an API token; it is shown this once",
        description="It may do what its `actions` say and its member may still do, until it "
        "expires; never what concerns members, passwords and API tokens.",
        status=201, body=NameApiToken, answer=NewApiToken, problems=(Forbidden, Conflict),
    )  # fmt: skip
    routes.add(
        "GET", "/v1/api-tokens", api_tokens,
        name="listApiTokens", summary="My API tokens", answer=ApiTokens,
    )  # fmt: skip
    routes.add(
        "DELETE", "/v1/api-tokens/{id}", delete_api_token,
        name="deleteApiToken", summary="End one of my API tokens",
        status=204, problems=(Forbidden,),
    )  # fmt: skip


def _secret_of(request: Request) -> bytes | None:
    """What an API token is made of where there is an ``Idempotency-Key``: asked again, the answer
    is the same, and neither the token nor anything that it could be made of is kept anywhere. Only
    whoever has the session can ask again."""
    key = key_of(request)
    if key is None:
        return None
    _, _, session = request.headers.get("authorization", "").partition(" ")
    return hmac.digest(session.strip().encode(), f"api token {key}".encode(), "sha256")


def _workspace(actor: Actor) -> WorkspaceState:
    workspace = actor.directory.workspace
    if workspace is None:
        raise Unavailable(TEXTS.say("unavailable.not-read"), part="directory")
    return workspace
