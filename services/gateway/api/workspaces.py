"""A workspace with its owner, as ``parley bootstrap`` asks for it. Not part of the public API."""

import asyncio
import hashlib

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response

from libs.events.api.directory import OFFSET_HEADER, FirstStates, OpenWorkspace
from libs.events.directory import MemberState, Role
from libs.runtime.bodies import BodyReader
from libs.runtime.directory import Directory
from libs.runtime.http import json_response
from services.gateway.accounts.accounts import Accounts, normal_email
from services.gateway.api.passing import REFUSED
from services.gateway.api.shapes import OpenedWorkspace
from services.gateway.upstream import Upstream, passed_on


def add_workspace_route(
    app: FastAPI,
    directory: Directory,
    accounts: Accounts,
    routing: Upstream,
    wait_seconds: float,
) -> None:
    opening = BodyReader(OpenWorkspace)
    one_at_a_time = asyncio.Lock()

    async def open_workspace(request: Request) -> Response:
        """Errors: Unavailable; routing's refusals are passed on."""
        asked, raw = await opening.read(request)
        async with one_at_a_time:
            await directory.table.check()
            if (owned := _owned_by(directory, asked.owner_email)) is not None:
                return json_response(await _with_account(accounts, *owned))
            # Two replicas, or a second try after a crash, get the same workspace.
            key = hashlib.sha256(b"open workspace" + raw).hexdigest()
            status, body, headers = await routing.call(
                "POST", "/v1/workspaces", body=raw, headers={"idempotency-key": key}
            )
            if status >= REFUSED:
                return passed_on(status, body, headers)
            await directory.table.wait_for(int(headers[OFFSET_HEADER]), wait_seconds)
            opened = msgspec.json.decode(body, type=FirstStates)
            return json_response(
                await _with_account(
                    accounts,
                    opened.workspace.workspace_id,
                    opened.location.location_id,
                    opened.owner,
                ),
                201,
            )

    app.add_route("/internal/v1/workspaces", open_workspace, ["POST"], include_in_schema=False)


async def _with_account(
    accounts: Accounts, workspace_id: str, location_id: str | None, owner: MemberState
) -> OpenedWorkspace:
    """The account is made where it is missing, also after a crash just before it was made."""
    password = None
    if await accounts.of_member(workspace_id, owner.member_id) is None:
        password = await accounts.create(
            workspace_id, owner.member_id, owner.email, temporary=False
        )
    return OpenedWorkspace(
        workspace_id=workspace_id,
        location_id=location_id,
        member_id=owner.member_id,
        email=owner.email,
        created=password is not None,
        password=password,
    )


def _owned_by(directory: Directory, email: str) -> tuple[str, str | None, MemberState] | None:
    """The workspace, its first location by id, and the active owner with this e-mail."""
    wanted = normal_email(email)
    for workspace_id, workspace in sorted(directory.workspaces.items()):
        for member in workspace.members.values():
            is_owner = member.role is Role.OWNER and member.active
            if is_owner and normal_email(member.email) == wanted:
                return workspace_id, min(workspace.locations, default=None), member
    return None
