"""Accounts: who may sign in as which member, kept in MongoDB and never sent anywhere."""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from libs.events.ids import random_id
from libs.runtime.attempts import Attempt, Attempts, Exhausted
from libs.runtime.bodies import invalid_field
from libs.runtime.mongo import Document
from libs.runtime.problems import Conflict, TooMany, Unauthorized
from services.gateway.accounts.devices import Devices
from services.gateway.accounts.passwords import Passwords, check_new_password, random_password
from services.gateway.localization import TEXTS
from services.gateway.metrics import SIGN_INS

# From where an account was opened before, or on one device; and, together, from everywhere else. So
# strangers lock out each other, and its owner only where neither they nor their browser has been.
ALLOWED_OF_ACCOUNT: Final = 10
# A company's whole office may be one address.
ALLOWED_OF_ADDRESS: Final = 30
# One person may have accounts in several workspaces; each is one password to verify.
WORKSPACES_TRIED: Final = 8
# From where it was opened lately: what is guessed elsewhere does not lock its owner out there.
PLACES_REMEMBERED: Final = 20


class WrongSignIn(Unauthorized):
    """Says the same for a wrong password, an unknown e-mail and another workspace."""

    kind, title, texts = "wrong-sign-in", "The e-mail or the password is wrong", TEXTS


class WorkspaceNeeded(Conflict):
    kind, title = "workspace-needed", "The password opens several workspaces: say which"
    texts = TEXTS


class EmailTaken(Conflict):
    kind, title, texts = "email-taken", "A member with this e-mail is there already", TEXTS


@dataclass(frozen=True, slots=True)
class Account:
    """``password_is_temporary``: somebody else has seen it; its owner should change it."""

    account_id: str
    workspace_id: str
    member_id: str
    email: str
    password_hash: str
    password_is_temporary: bool


def _place(account: Document, address: str) -> str:
    """An address as an account keeps it: nobody reads it there."""
    return hashlib.sha256(f"{account['_id']} {address}".encode()).hexdigest()[:32]


def normal_email(email: str) -> str:
    return email.strip().casefold()


class Accounts:
    """The collection ``gateway_accounts`` and the rules of signing in."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        passwords: Passwords,
        attempts: Attempts,
        devices: Devices,
    ) -> None:
        self._accounts = database["gateway_accounts"]
        self._passwords = passwords
        self._attempts = attempts
        self._devices = devices

    async def ensure_indexes(self) -> None:
        await self._attempts.ensure_indexes()
        await self._accounts.create_index(
            [("email", ASCENDING), ("workspace_id", ASCENDING)], name="email", unique=True
        )
        await self._accounts.create_index(
            [("workspace_id", ASCENDING), ("member_id", ASCENDING)], name="member", unique=True
        )

    async def sign_in(
        self, email: str, password: str, workspace_id: str | None, address: str, device: str = ""
    ) -> Account:
        """The account that the password opens. ``device``: the cookie of an earlier sign-in.

        An unknown e-mail costs the same work and gets the same answer as a wrong password. Only
        who has accounts in several workspaces and names none waits longer: one hash for each.
        Errors: WrongSignIn, WorkspaceNeeded, TooMany.
        """
        email = normal_email(email)
        query = {"email": email} | ({"workspace_id": workspace_id} if workspace_id else {})
        found = await self._accounts.find(query).limit(WORKSPACES_TRIED).to_list()
        attempt = await self._begin_attempt(self._counted(email, found, address, device))
        candidates = [_account(document) for document in found]
        opened = [
            account
            for account in candidates
            if await self._passwords.verify(password, account.password_hash)
        ]
        if not candidates:
            await self._passwords.verify(password, None)
        if not opened:
            SIGN_INS.labels("refused").inc()
            raise WrongSignIn
        await asyncio.gather(
            attempt.take_back(),
            self._remember_place([account.account_id for account in opened], found, address),
        )
        if len(opened) > 1:
            raise WorkspaceNeeded(workspace_ids=[account.workspace_id for account in opened])
        account = opened[0]
        if self._passwords.is_outdated(account.password_hash):
            await self._set_password(account, password, account.password_is_temporary)
        SIGN_INS.labels("accepted").inc()
        return account

    async def change_password(
        self,
        workspace_id: str,
        member_id: str,
        current: str,
        new: str,
        context: Iterable[str],
    ) -> None:
        """``context``: words that the new one must not be made of.

        Errors: Invalid (a wrong current one, or a new one that will not do), Conflict, TooMany.
        """
        check_new_password(new, context)
        if new == current:
            raise invalid_field("new_password", TEXTS.say("invalid.password-same"))
        attempt = await self._begin_attempt(
            {f"password {workspace_id} {member_id}": ALLOWED_OF_ACCOUNT}
        )
        account = await self.of_member(workspace_id, member_id)
        hashed = account.password_hash if account else None
        if not await self._passwords.verify(current, hashed) or account is None:
            raise invalid_field("current_password", TEXTS.say("sign-in.current-password"))
        await attempt.take_back()
        if not await self._set_password(account, new, temporary=False):
            raise Conflict(TEXTS.say("conflict.password-changed"))

    async def create(
        self,
        workspace_id: str,
        member_id: str,
        email: str,
        *,
        temporary: bool,
        password: str | None = None,
    ) -> str:
        """A new account's password, a random one unless given, to be shown once.

        Errors: EmailTaken, TooMany.
        """
        password = password or random_password()
        document = {
            "_id": random_id("acc"),
            "workspace_id": workspace_id,
            "member_id": member_id,
            "email": normal_email(email),
            "password_hash": await self._passwords.hash(password),
            "temporary": temporary,
            "created_at": datetime.now(UTC),
        }
        try:
            await self._accounts.insert_one(document)
        except DuplicateKeyError as error:
            raise EmailTaken from error
        return password

    async def is_still(self, account: Account, temporary_password: str) -> bool:
        """Whether the account has the first password still. Errors: TooMany."""
        return account.password_is_temporary and await self._passwords.verify(
            temporary_password, account.password_hash
        )

    async def give_another_password(self, account: Account) -> str:
        """A temporary one, at random, to be shown once. Errors: Conflict, TooMany."""
        password = random_password()
        if not await self._set_password(account, password, temporary=True):
            raise Conflict(TEXTS.say("conflict.password-changed"))
        return password

    async def of_member(self, workspace_id: str, member_id: str) -> Account | None:
        found = await self._accounts.find_one(
            {"workspace_id": workspace_id, "member_id": member_id}
        )
        return _account(found) if found else None

    async def of_email(self, workspace_id: str, email: str) -> Account | None:
        found = await self._accounts.find_one(
            {"email": normal_email(email), "workspace_id": workspace_id}
        )
        return _account(found) if found else None

    async def follow_email(self, workspace_id: str, member_id: str, email: str) -> None:
        """The member has another e-mail now. Errors: EmailTaken."""
        try:
            await self._accounts.update_one(
                {"workspace_id": workspace_id, "member_id": member_id},
                {"$set": {"email": normal_email(email)}},
            )
        except DuplicateKeyError as error:
            raise EmailTaken from error

    async def remove(self, workspace_id: str, member_id: str) -> None:
        await self._accounts.delete_one({"workspace_id": workspace_id, "member_id": member_id})

    def _counted(
        self, email: str, found: Sequence[Document], address: str, device: str
    ) -> dict[str, int]:
        """What a try counts for, and how often."""
        if device_id := self._devices.of(device, [one["_id"] for one in found]):
            return {f"device {device_id}": ALLOWED_OF_ACCOUNT}
        is_known = any(_place(one, address) in one.get("opened_from", ()) for one in found)
        return {
            f"account {email} {address if is_known else ''}": ALLOWED_OF_ACCOUNT,
            f"address {address}": ALLOWED_OF_ADDRESS,
        }

    async def _begin_attempt(self, allowed: Mapping[str, int]) -> Attempt:
        try:
            return await self._attempts.begin(allowed)
        except Exhausted as error:
            SIGN_INS.labels("limited").inc()
            told = TEXTS.say("too-many.attempts")
            raise TooMany(told, retry_after=error.retry_after_seconds) from error

    async def _remember_place(
        self, opened: Collection[str], found: Iterable[Document], address: str
    ) -> None:
        for one in found:
            place = _place(one, address)
            if one["_id"] in opened and place not in one.get("opened_from", ()):
                newest = {"$each": [place], "$slice": -PLACES_REMEMBERED}
                await self._accounts.update_one(
                    {"_id": one["_id"]}, {"$push": {"opened_from": newest}}
                )

    async def _set_password(self, account: Account, password: str, temporary: bool) -> bool:
        done = await self._accounts.update_one(
            # Only over the hash that was verified: of two changes at once the first stands.
            {"_id": account.account_id, "password_hash": account.password_hash},
            {
                "$set": {
                    "password_hash": await self._passwords.hash(password),
                    "temporary": temporary,
                }
            },
        )
        return done.matched_count == 1


def _account(document: dict[str, Any]) -> Account:
    return Account(
        account_id=document["_id"],
        workspace_id=document["workspace_id"],
        member_id=document["member_id"],
        email=document["email"],
        password_hash=document["password_hash"],
        password_is_temporary=document["temporary"],
    )
