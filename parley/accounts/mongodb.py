"""Accounts and rights at MongoDB: a service reads and writes its own collections, and no others."""

from collections.abc import Mapping
from typing import Any, Final

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from parley.accounts import OPERATOR, ROOT
from parley.stored import COLLECTIONS

# Services make their own indexes, and drop nothing but what a rebuild made beside the rows.
_MAY: Final = ("find", "insert", "update", "remove", "createIndex")
_BESIDE: Final = (*_MAY, "createCollection", "dropCollection")
_ACCOUNTS: Final = "admin"
_AUTHENTICATION_FAILED: Final = 18
_NO_USER: Final = 11
_NO_ROLE: Final = 31


async def make_mongodb_accounts(url: str, database: str, passwords: Mapping[str, str]) -> str:
    """``url``: from this machine itself, where MongoDB lets the first account be made. What was
    done, in words. Errors: the driver's."""
    await _make_root(url, passwords[ROOT])
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        url, username=ROOT, password=passwords[ROOT], authSource=_ACCOUNTS
    )
    made = 0
    async with client:
        accounts = client[_ACCOUNTS]
        for holder, password in passwords.items():
            if holder == ROOT:
                continue
            role = f"{database}-{holder}"
            privileges = _privileges(holder, database)
            inherited = [] if privileges else [{"role": "dbOwner", "db": database}]
            about: dict[str, Any] = {"privileges": privileges, "roles": inherited}
            try:
                await accounts.command("updateRole", role, **about)
            except OperationFailure as error:
                if error.code != _NO_ROLE:
                    raise
                await accounts.command("createRole", role, **about)
            roles = [{"role": role, "db": _ACCOUNTS}]
            try:
                await accounts.command("updateUser", holder, pwd=password, roles=roles)
            except OperationFailure as error:
                if error.code != _NO_USER:
                    raise
                await accounts.command("createUser", holder, pwd=password, roles=roles)
            made += 1
    return f"mongodb: {made} accounts"


async def _make_root(url: str, password: str) -> None:
    """The first account needs none; from then on MongoDB refuses whoever has none."""
    client: AsyncMongoClient[Any] = AsyncMongoClient(
        url, username=ROOT, password=password, authSource=_ACCOUNTS
    )
    async with client:
        try:
            await client.admin.command("ping")
            await client.admin.command("usersInfo", ROOT)
        except OperationFailure as error:
            if error.code != _AUTHENTICATION_FAILED:
                raise
        else:
            return
    async with AsyncMongoClient[Any](url) as nobody:
        await nobody[_ACCOUNTS].command("createUser", ROOT, pwd=password, roles=["root"])


def _privileges(holder: str, database: str) -> list[dict[str, object]]:
    if holder == OPERATOR:
        return []
    return [
        {"resource": {"db": database, "collection": name}, "actions": list(_may(name))}
        for name, one in COLLECTIONS.items()
        if one.service == holder
    ]


def _may(collection: str) -> tuple[str, ...]:
    return _BESIDE if collection.endswith("_rebuilt") else _MAY
