"""The first answer again: results of HTTP commands by workspace, member and ``Idempotency-Key``.

The answers kept here make a repeat cheap and equal, also where the first answer was a refusal. That
nothing is *done* twice does not rest on them: the work is given a cause made of the same three,
and the event store refuses a cause for the second time, even when the process died between the
effect and the keeping of its answer, or two requests with one key run side by side.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from fastapi import Request
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError
from starlette.responses import Response

from libs.events.ids import random_id
from libs.runtime.away import SERVER_AWAY
from libs.runtime.bodies import invalid_field
from libs.runtime.mongo import Document
from libs.runtime.problems import Invalid, Problem, Unavailable
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller

log = structlog.get_logger()

HEADER: Final = "idempotency-key"
KEY_MAX_CHARACTERS: Final = 255
KEPT_FOR: Final = timedelta(days=1)
_SERVER_ERROR: Final = 500
_CONTENT_HEADERS: Final = frozenset({"content-length"})

Work = Callable[[str], Awaitable[Response]]


class Personal(Response):
    """An answer that tells of somebody: it is kept sealed, for as long as none of them is erased.

    ``owners``: the identities whose data it has, one at least.
    """

    def __init__(self, answer: Response, owners: Collection[str]) -> None:
        super().__init__(answer.body, answer.status_code, dict(answer.headers))
        self.owners = sorted(owners)


class Vault(Protocol):
    """Seals what is kept of persons. ``place`` is where: there alone it opens."""

    async def seal(
        self, workspace_id: str, owners: Sequence[str], body: bytes, place: bytes
    ) -> bytes: ...

    async def open(self, owners: Sequence[str], sealed: bytes, place: bytes) -> bytes | None:
        """None where one of them was erased since. ``owners``: as it was sealed, in that order."""
        ...


class Answers:
    """The result store on one collection. ``vault``: for answers that are Personal."""

    def __init__(self, collection: AsyncCollection[Document], vault: Vault | None = None) -> None:
        self._collection = collection
        self._vault = vault

    async def ensure_indexes(self) -> None:
        await self._collection.create_index(
            "at", name="expiry", expireAfterSeconds=int(KEPT_FOR.total_seconds())
        )

    async def once(
        self,
        request: Request,
        caller: Caller,
        raw: bytes,
        work: Work,
        may_see: Callable[[], Awaitable[object]] | None = None,
    ) -> Response:
        """Do ``work`` with its cause, or give the answer it gave before.

        ``may_see`` is asked before an answer that tells of somebody is given again: who asks may
        have lost sight of them since. It raises what they are answered then.

        ``raw`` is the request's body. Without the header the cause is a new one. Only what the
        work decided is kept: an answer, or a refusal below 500; a failure may be tried again.
        Errors: Invalid (a key that is too long, or was used for another request), Unavailable
        (the store does not answer, or did not keep the answer: it is to be asked again with the
        same key), the work's.
        """
        key = key_of(request)
        if key is None:
            return await work(random_id("req"))
        name = _digest(caller.workspace_id, caller.member_id, key)
        asked = _digest(request.method, request.url.path, raw.decode("utf-8", "replace"))
        try:
            kept = await self._collection.find_one({"_id": name})
        except SERVER_AWAY as error:
            raise Unavailable from error
        repeated = kept is not None
        if kept is None:
            answer = await _outcome(work, f"http-{name}")
            if answer.status_code >= _SERVER_ERROR:
                return answer
            try:
                kept = await self._keep(name, asked, answer, caller.workspace_id)
            except SERVER_AWAY as error:
                # It may be done, and its cause keeps it from being done again. An answer that is
                # not kept must not be given: the next one would tell of what came after it.
                log.warning("answer not kept", error=type(error).__name__)
                raise Unavailable(COMMON.say("unavailable.not-confirmed")) from error
        if kept["asked"] != asked:
            raise key_used()
        if repeated and may_see is not None and "owners" in kept:
            await may_see()
        if (body := await self._opened(kept)) is None:
            # Its person was erased. It is not done again: the same cause tells what is there now.
            return await _outcome(work, f"http-{name}")
        return Response(body, kept["status"], dict(kept["headers"]))

    async def _opened(self, kept: Document) -> bytes | None:
        body = bytes(kept["body"])
        if self._vault is None or "owners" not in kept:
            return body
        return await self._vault.open(kept["owners"], body, kept["_id"].encode())

    async def _keep(self, name: str, asked: str, answer: Response, workspace_id: str) -> Document:
        headers = {k: v for k, v in answer.headers.items() if k not in _CONTENT_HEADERS}
        document: Document = {
            "_id": name,
            "asked": asked,
            "at": datetime.now(UTC),
            "status": answer.status_code,
            "headers": headers,
            "body": bytes(answer.body),
        }
        if self._vault is not None and isinstance(answer, Personal):
            document["owners"] = answer.owners
            document["body"] = await self._vault.seal(
                workspace_id, answer.owners, document["body"], name.encode()
            )
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            # Another request with this key was faster: both give the answer that was kept.
            first = await self._collection.find_one({"_id": name})
            if first is None:
                raise Unavailable(COMMON.say("unavailable.first-answer")) from None
            return first
        return document


def key_of(request: Request) -> str | None:
    """None where the request has no key. Errors: Invalid."""
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= KEY_MAX_CHARACTERS and key.isprintable()):
        raise invalid_field(
            HEADER, COMMON.say("invalid.idempotency-key", {"limit": KEY_MAX_CHARACTERS})
        )
    return key


def key_used() -> Invalid:
    """The refusal of a key that was given with another request before."""
    return invalid_field(HEADER, COMMON.say("invalid.idempotency-key-used"))


async def _outcome(work: Work, cause: str) -> Response:
    try:
        return await work(cause)
    except Problem as problem:
        return problem.response()


def _digest(*parts: str) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        hashed.update(len(encoded).to_bytes(4, "big"))
        hashed.update(encoded)
    return hashed.hexdigest()
