"""The gateway with the services behind it, and members who call it."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from pymongo import AsyncMongoClient

from libs.events.directory import Role
from libs.runtime.kafka import Publisher
from libs.runtime.tokens import ServiceTokens

NOBODY_LISTENS = "http://127.0.0.1:9"  # the discard port


BOT_TOKEN = "4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcq"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


class Api:
    """Calls the gateway with one token, or none."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self.session = session
        self.url = url
        self.token = token

    def with_token(self, token: str | None) -> "Api":
        return Api(self.session, self.url, token)

    async def __call__(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = dict(headers or {})
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self.session.request(
            method, self.url + path, data=data, headers=sent, skip_auto_headers=["content-type"]
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def sign_in(self, email: str, password: str) -> "Api":
        answer = await self("POST", "/v1/sign-in", {"email": email, "password": password})
        assert answer.status == 200, answer.content
        return self.with_token(answer.body["token"])


@dataclass(frozen=True)
class Suite:
    """What runs: the gateway's addresses, and the servers under it.

    Behind ``url`` only routing answers; behind ``replica_url`` all the services do.
    """

    url: str
    replica_url: str
    ingest_url: str
    http: aiohttp.ClientSession
    publisher: Publisher
    cli: ServiceTokens
    mongo: AsyncMongoClient[dict[str, Any]]
    environment: dict[str, str]

    @property
    def accounts(self) -> Any:
        return self.mongo[self.environment["PARLEY_MONGODB_DATABASE"]]["gateway_accounts"]


@dataclass(frozen=True)
class Member:
    member_id: str
    email: str
    password: str
    api: Api


async def choose_password(api: Api, current: str) -> str:
    """Another one, which is the answer."""
    new = f"one of my own {uuid.uuid4().hex[:8]}"
    body = {"current_password": current, "new_password": new}
    assert (await api("POST", "/v1/me/password", body)).status == 204
    return new


@dataclass(frozen=True)
class Team:
    """A workspace with its owner signed in."""

    workspace_id: str
    location_id: str
    owner: Member

    async def add(self, role: Role, **fields: object) -> Member:
        """A member, signed in, with a password of their own."""
        email = f"{uuid.uuid4().hex[:8]}@shop.example"
        body = {"name": "Dima", "email": email, "role": role, **fields}
        made = (await self.owner.api("POST", "/v1/members", body)).body
        api = await self.owner.api.with_token(None).sign_in(email, made["password"])
        password = await choose_password(api, made["password"])
        return Member(made["member_id"], email, password, api)

    async def group(self, name: str, *members: Member) -> str:
        body = {"name": name, "member_ids": [member.member_id for member in members]}
        made = await self.owner.api("POST", "/v1/groups", body)
        return str(made.body["group_id"])


async def new_team(suite: Suite, api: Api) -> Team:
    answer = await open_workspace(suite, api, f"{uuid.uuid4().hex[:8]}@shop.example")
    made = answer.body
    owner = await api.sign_in(made["email"], made["password"])
    return Team(
        made["workspace_id"],
        made["location_id"],
        Member(made["member_id"], made["email"], made["password"], owner),
    )


async def open_workspace(suite: Suite, api: Api, owner_email: str, **fields: str) -> Answer:
    body = {
        "name": "Coffee & Co",
        "language": "uk",
        "location_name": "Khreshchatyk",
        "time_zone": "Europe/Kyiv",
        "owner_name": "Olena",
        "owner_email": owner_email,
        **fields,
    }
    return await api.with_token(suite.cli.issue("gateway", ""))(
        "POST", "/internal/v1/workspaces", body
    )
