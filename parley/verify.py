"""``parley verify``: whether what is stored is what was written, by its chains and the anchors."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from libs.eventstore.store import AsyncEventStore
from libs.eventstore.verifying import Verified, verify_all, verify_stream
from libs.runtime.mongo import mongo_client
from libs.runtime.settings import key_bytes, load
from services.conversation.anchors.anchor import AnchorKey
from services.conversation.anchors.reading import Anchored, read_anchors
from services.conversation.anchors.storage import open_anchors
from services.conversation.privacy.sealed_store import COMMITS
from services.conversation.settings import ConversationSettings

# The directory's streams are chained too; only the conversations' are anchored.
_STORES = {"conversations": COMMITS, "directory": "routing_commits"}


class NoSuchStream(Exception):
    """Nothing is stored of it, and no anchor knows it."""


class Report:
    """``lines`` are for people; ``findings`` counts what is wrong."""

    def __init__(self) -> None:
        self.findings = 0

    def about(self, findings: Sequence[object]) -> list[str]:
        self.findings += len(findings)
        return [f"  {finding}" for finding in findings]


async def verify(
    report: Report, conversation_id: str | None, other_keys: Sequence[str]
) -> AsyncIterator[str]:
    """Line by line. ``other_keys``: public keys that signed anchors before the present one.

    Errors: NoSuchStream, SettingsError, StorageAway, and what MongoDB's driver raises.
    """
    settings = load(ConversationSettings)
    public_key = AnchorKey(key_bytes(settings.deployment_key)).public
    # The anchors first: whatever they know was stored before.
    anchored = await read_anchors(open_anchors(settings), {public_key, *other_keys})
    yield _told(anchored, public_key)
    for line in report.about(anchored.findings):
        yield line
    client = mongo_client(settings.mongodb_url.get_secret_value(), "parley-verify")
    async with client:
        database = client[settings.mongodb_database]
        if conversation_id is not None:
            store = AsyncEventStore(database[COMMITS])
            known = anchored.heads.get(conversation_id)
            one = await verify_stream(store, conversation_id, known)
            if not one.commits and known is None:
                raise NoSuchStream(f"there is no conversation {conversation_id}")
            yield f"{conversation_id}: {_state(len(one.findings))}, {one.commits} commits"
            yield f"  version {one.head.version}, head {one.head.hash.hex()}"
            for line in report.about(one.findings):
                yield line
            return
        for name, collection in _STORES.items():
            known_heads = anchored.heads if collection == COMMITS else {}
            verified = await verify_all(AsyncEventStore(database[collection]), known_heads)
            yield _summary(name, verified)
            for line in report.about(verified.findings):
                yield line


def _told(anchored: Anchored, public_key: str) -> str:
    if anchored.newest is None:
        return f"anchors: none yet; they are signed with the key {public_key}"
    return (
        f"anchors: {anchored.anchors} up to {_instant(anchored.newest)} know "
        f"{len(anchored.heads)} streams; signed with the key {public_key}"
    )


def _summary(name: str, verified: Verified) -> str:
    counts = f"{verified.streams} streams, {verified.commits} commits"
    return f"{name}: {_state(len(verified.findings))}, {counts}"


def _state(findings: int) -> str:
    return f"{findings} FINDINGS" if findings else "as they were written"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
