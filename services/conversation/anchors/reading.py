"""What the anchors say: the newest head of each stream, and whether the anchors are whole."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from libs.eventstore.chain import Head
from services.conversation.anchors.anchor import Anchor, Before, trouble_with
from services.conversation.anchors.storage import AnchorStorage

_AT_ONCE: Final = 32


@dataclass(slots=True)
class Anchored:
    """``heads``: the newest of each stream, of anchors that can be believed. ``findings`` are
    about the anchors themselves, in words."""

    anchors: int = 0
    newest: datetime | None = None
    heads: dict[str, Head] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


async def read_anchors(storage: AnchorStorage, trusted: Collection[str]) -> Anchored:
    """All anchors of all workspaces. ``trusted``: public keys. Errors: StorageAway."""
    anchored = Anchored()
    for workspace in await storage.workspaces():
        before: Before | None = Before()
        async for number, anchor in _anchors(storage, workspace):
            name = f"anchor {number} of {workspace}"
            expected = (before.number if before else number - 1) + 1
            if number > expected:
                missing = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
                anchored.findings.append(f"anchor {missing} of {workspace} is not there")
                before = None
            trouble = _trouble(anchor, workspace, number, before, trusted)
            if trouble is not None:
                anchored.findings.append(f"{name}: {trouble}")
            if anchor is None or trouble is not None:
                # What it says is not believed, and the one after it is not blamed for it.
                before = None
                continue
            before = anchor.before_next()
            _note(anchored, anchor, name)
    return anchored


async def _anchors(
    storage: AnchorStorage, workspace: str
) -> AsyncIterator[tuple[int, Anchor | None]]:
    numbers = await storage.numbers(workspace)
    for at in range(0, len(numbers), _AT_ONCE):
        some = numbers[at : at + _AT_ONCE]
        read = await asyncio.gather(*(storage.read(workspace, number) for number in some))
        for number, anchor in zip(some, read, strict=True):
            yield number, anchor


def _trouble(
    anchor: Anchor | None,
    workspace: str,
    number: int,
    before: Before | None,
    trusted: Collection[str],
) -> str | None:
    if anchor is None:
        return "it is not readable"
    if (trouble := trouble_with(anchor, trusted)) is not None:
        return trouble
    if (anchor.workspace, anchor.number) != (workspace, number):
        return f"it is anchor {anchor.number} of {anchor.workspace}"
    if before is not None and bytes.fromhex(anchor.prev) != before.hash:
        return "it does not follow on the one before it"
    return None


def _note(anchored: Anchored, anchor: Anchor, name: str) -> None:
    anchored.anchors += 1
    anchored.newest = max(anchored.newest or anchor.at, anchor.at)
    for one in anchor.heads:
        head, known = Head(one.version, bytes.fromhex(one.hash)), anchored.heads.get(one.stream)
        if known is not None and known.version == head.version and known != head:
            anchored.findings.append(f"{name}: an earlier one says otherwise of {one.stream}")
        if known is None or known.version < head.version:
            anchored.heads[one.stream] = head
