"""Sessions and API tokens: opaque random texts of which only the SHA-256 is kept.

A token ends with a mark that only the gateway's key makes, so that one which was made here is told
from a guess without a query.

A token that was looked up stays in memory for ``CACHED_SECONDS``, so that a request does not cost a
query. This bounds how long a token still works after it was ended on another replica; on the
replica that ended it, it is forgotten at once. That a token is none is remembered as long.
"""

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from cachetools import TTLCache
from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.events.ids import random_id
from libs.runtime.mongo import Document
from services.gateway.metrics import SESSION_LOOKUPS

SESSION_PREFIX: Final = "pse_"
API_TOKEN_PREFIX: Final = "pat_"  # noqa: S105  # what such a token begins with
CACHED_SECONDS: Final = 3.0
CACHED_AT_MOST: Final = 20_000
API_TOKENS_AT_MOST: Final = 100
API_TOKEN_LIFETIME: Final = timedelta(days=366)  # the longest, and where nothing else is asked
_TOKEN_BYTES: Final = 32
_MARK_BYTES: Final = 8
_MARKED_CHARACTERS: Final = 54
_TOKEN_MAX_CHARACTERS: Final = 100

Ended = Callable[[Iterable[str]], None]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose token it is. ``key`` is the token's SHA-256; ``expires_at`` None: until deleted.

    ``scope``: what an API token may be used for, of what its member may do; None: all of it.
    ``must_change_password``: the session was begun with a password that somebody else has seen.
    """

    key: str
    kind: Literal["session", "api_token"]
    workspace_id: str
    member_id: str
    expires_at: datetime | None = None
    scope: frozenset[str] | None = None
    must_change_password: bool = False

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class ApiToken:
    token_id: str
    name: str
    created_at: datetime
    expires_at: datetime
    actions: tuple[str, ...] | None


class Sessions:
    """The collections ``gateway_sessions`` and ``gateway_api_tokens``.

    ``ended`` is told the keys of what was ended here, so that open sockets can be closed.
    ``marking_key``: the gateway's, the same on all replicas.
    """

    def __init__(
        self, database: AsyncDatabase[Document], lifetime: timedelta, marking_key: bytes
    ) -> None:
        self._sessions = database["gateway_sessions"]
        self._tokens = database["gateway_api_tokens"]
        self._lifetime = lifetime
        self._marking_key = hmac.digest(marking_key, b"mark of a token", "sha256")
        self._cache: TTLCache[str, Principal] = TTLCache(CACHED_AT_MOST, CACHED_SECONDS)
        self._unknown: TTLCache[str, bool] = TTLCache(CACHED_AT_MOST, CACHED_SECONDS)
        self.ended: Ended = lambda _keys: None

    async def ensure_indexes(self) -> None:
        member = [("workspace_id", ASCENDING), ("member_id", ASCENDING)]
        await self._sessions.create_index("expires_at", name="expiry", expireAfterSeconds=0)
        await self._sessions.create_index(member, name="member")
        await self._tokens.create_index(member, name="member")
        await self._tokens.create_index("expires_at", name="expiry", expireAfterSeconds=0)
        # Those of a version that knew no expiry do not stay for ever either.
        await self._tokens.update_many(
            {"expires_at": {"$exists": False}},
            {"$set": {"expires_at": datetime.now(UTC) + API_TOKEN_LIFETIME}},
        )

    async def begin(
        self, workspace_id: str, member_id: str, *, must_change_password: bool = False
    ) -> tuple[str, datetime]:
        """A new session's token, and when it expires."""
        token, key = self._new_token(SESSION_PREFIX)
        now = datetime.now(UTC)
        expires_at = now + self._lifetime
        await _insert(
            self._sessions,
            {
                "_id": key,
                "workspace_id": workspace_id,
                "member_id": member_id,
                "created_at": now,
                "expires_at": expires_at,
                **({"must_change_password": True} if must_change_password else {}),
            },
        )
        return token, expires_at

    def is_marked(self, token: str) -> bool:
        """Whether it was made here, though it may have ended; not one of a version without marks,
        nor of another key."""
        prefix, text = token[: len(SESSION_PREFIX)], token[len(SESSION_PREFIX) :]
        if len(text) != _MARKED_CHARACTERS:
            return False
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            return False
        # As it would be made of the same bytes, and no other way to write them.
        return hmac.compare_digest(self._new_token(prefix, raw[:_TOKEN_BYTES])[0], token)

    async def find(self, token: str) -> Principal | None:
        """Whose token it is; None where it is not, or no longer, one."""
        if len(token) > _TOKEN_MAX_CHARACTERS:
            return None
        key = _key(token)
        principal: Principal | None = self._cache.get(key)
        if principal is not None:
            SESSION_LOOKUPS.labels("memory").inc()
        elif key in self._unknown:
            SESSION_LOOKUPS.labels("memory").inc()
            return None
        else:
            SESSION_LOOKUPS.labels("store").inc()
            principal = await self._look_up(token, key)
            if principal is None or principal.must_change_password:
                # Of the latter there is nothing to save, and on every replica it ends at once.
                self._cache.pop(key, None)
            else:
                self._cache[key] = principal
            if principal is None:
                self._unknown[key] = True
        return principal if principal and not principal.is_expired(datetime.now(UTC)) else None

    async def still_valid(self, principals: Iterable[Principal]) -> set[str]:
        """The keys of those that have neither ended nor expired: one query for each kind."""
        now = datetime.now(UTC)
        keys: dict[str, list[str]] = {"session": [], "api_token": []}
        for principal in principals:
            if not principal.is_expired(now):
                keys[principal.kind].append(principal.key)
        valid: set[str] = set()
        for kind, collection in (("session", self._sessions), ("api_token", self._tokens)):
            if keys[kind]:
                found = collection.find({"_id": {"$in": keys[kind]}}, {"_id": 1})
                valid.update([document["_id"] async for document in found])
        return valid

    async def end(self, principal: Principal) -> None:
        await self._end(self._sessions, {"_id": principal.key})

    async def password_changed(self, principal: Principal, *, end_api_tokens: bool) -> None:
        """All other sessions of the member end, and their API tokens where that is asked; this
        one may be used for everything."""
        member = {"workspace_id": principal.workspace_id, "member_id": principal.member_id}
        await self._end(self._sessions, {**member, "_id": {"$ne": principal.key}})
        if end_api_tokens:
            await self._end(self._tokens, member)
        await self._sessions.update_one(
            {"_id": principal.key}, {"$unset": {"must_change_password": ""}}
        )

    async def end_all_of(
        self, workspace_id: str, member_id: str, *, api_tokens: bool = True
    ) -> None:
        """Sessions and API tokens of a member who is gone, or whose password is another's."""
        query = {"workspace_id": workspace_id, "member_id": member_id}
        await self._end(self._sessions, query)
        if api_tokens:
            await self._end(self._tokens, query)

    async def create_api_token(
        self,
        owner: Principal,
        name: str,
        actions: Iterable[str],
        expires_at: datetime,
        *,
        secret: bytes | None = None,
    ) -> tuple[str, ApiToken] | None:
        """The token, which is shown this once, and what is kept of it; None: too many already.

        ``secret``: the token is made of it, so that the same again is the one that was made before.
        """
        member = {"workspace_id": owner.workspace_id, "member_id": owner.member_id}
        token, key = self._new_token(API_TOKEN_PREFIX, secret)
        self._unknown.pop(key, None)
        if secret and (before := await self._tokens.find_one({"_id": key})):
            return token, _api_token(before)
        if await self._tokens.count_documents(member, limit=API_TOKENS_AT_MOST) == (
            API_TOKENS_AT_MOST
        ):
            return None
        kept = ApiToken(
            random_id("tok"),
            name,
            _milliseconds(datetime.now(UTC)),
            _milliseconds(expires_at),
            tuple(sorted(actions)),
        )
        await _insert(
            self._tokens,
            {
                "_id": key,
                "token_id": kept.token_id,
                "name": name,
                "created_at": kept.created_at,
                "expires_at": kept.expires_at,
                "actions": kept.actions,
                **member,
            },
        )
        return token, kept

    async def api_tokens(self, owner: Principal) -> list[ApiToken]:
        """The oldest first."""
        found = self._tokens.find(
            {"workspace_id": owner.workspace_id, "member_id": owner.member_id}
        )
        tokens = [_api_token(document) async for document in found]
        return sorted(tokens, key=lambda token: (token.created_at, token.token_id))

    async def api_tokens_ending(self, within: timedelta) -> int:
        """How many, of all workspaces, end ``within`` so long and are older than that: who made one
        for a short time knows."""
        now = datetime.now(UTC)
        ending = {"expires_at": {"$gt": now, "$lt": now + within}}
        return await self._tokens.count_documents({**ending, "created_at": {"$lt": now - within}})

    async def delete_api_token(self, owner: Principal, token_id: str) -> bool:
        """False where the member has no such token."""
        return await self._end(
            self._tokens,
            {
                "workspace_id": owner.workspace_id,
                "member_id": owner.member_id,
                "token_id": token_id,
            },
        )

    def _new_token(self, prefix: str, secret: bytes | None = None) -> tuple[str, str]:
        made_of = secret or secrets.token_bytes(_TOKEN_BYTES)
        raw = made_of + self._mark(prefix, made_of)
        token = prefix + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return token, _key(token)

    def _mark(self, prefix: str, made_of: bytes) -> bytes:
        whole = hmac.digest(self._marking_key, prefix.encode() + made_of, "sha256")
        return whole[:_MARK_BYTES]

    async def _end(self, collection: AsyncCollection[Document], query: dict[str, Any]) -> bool:
        keys = [document["_id"] async for document in collection.find(query, {"_id": 1})]
        if keys:
            await collection.delete_many({"_id": {"$in": keys}})
        for key in keys:
            self._cache.pop(key, None)
        self.ended(keys)
        return bool(keys)

    async def _look_up(self, token: str, key: str) -> Principal | None:
        if token.startswith(SESSION_PREFIX):
            found = await self._sessions.find_one({"_id": key})
            kind: Literal["session", "api_token"] = "session"
        elif token.startswith(API_TOKEN_PREFIX):
            found = await self._tokens.find_one({"_id": key})
            kind = "api_token"
        else:
            return None
        if found is None:
            return None
        scope = found.get("actions")
        return Principal(
            key,
            kind,
            found["workspace_id"],
            found["member_id"],
            found.get("expires_at"),
            frozenset(scope) if scope is not None else None,
            found.get("must_change_password", False),
        )


def _api_token(document: Document) -> ApiToken:
    """``actions`` None: of a version that knew no scopes, all that the member may do."""
    scope = document.get("actions")
    return ApiToken(
        document["token_id"],
        document["name"],
        document["created_at"],
        document["expires_at"],
        tuple(scope) if scope is not None else None,
    )


async def _insert(tokens: AsyncCollection[Document], document: Document) -> None:
    """The id is random: who meets it there already is a driver that repeated its own insert."""
    with contextlib.suppress(DuplicateKeyError):
        await tokens.insert_one(document)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _milliseconds(instant: datetime) -> datetime:
    """As MongoDB keeps it, so that the first answer shows what later ones will."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
