"""What a deactivated member leaves behind: their open cases go back to New.

A process manager: it follows the directory, and decides by what that says now. So it may run in
every replica, be stopped anywhere and begin again: what is done has no second effect. A member who
was deactivated a moment ago may still be given a case by a replica that has not heard of it; so it
looks again now and then.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from pymongo import ASCENDING

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.events.directory import MemberState
from libs.runtime.away import SERVER_AWAY
from libs.runtime.directory import Directory
from libs.runtime.left_out import left_out
from libs.runtime.mongo import Document
from libs.runtime.rows import Rows
from libs.runtime.stopping import stopped_within
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.read_models.inbox.row_keys import offered_by

log = structlog.get_logger()

_FOLLOW_SECONDS: Final = 0.5
_LOOK_AGAIN_SECONDS: Final = 30.0
_AT_ONCE: Final = 200
_OPEN: Final = ("new", "active")

type Gone = tuple[str, str]


class Departures:
    def __init__(
        self,
        handler: CommandHandler[ConversationState, Conversation],
        inbox: Rows,
        directory: Directory,
    ) -> None:
        self._handler = handler
        self._inbox = inbox
        self._directory = directory
        self._seen: frozenset[Gone] = frozenset()
        self._read = -1

    async def run(self, stop: asyncio.Event) -> None:
        """Errors: whatever is no server's outage."""
        loop = asyncio.get_running_loop()
        again_at = loop.time()
        while not stop.is_set():
            try:
                if loop.time() >= again_at:
                    await self.sweep(self._gone())
                    again_at = loop.time() + _LOOK_AGAIN_SECONDS
                await self._follow()
            except SERVER_AWAY as error:
                log.warning("what members left is looked for again", error=repr(error))
            await stopped_within(stop, _FOLLOW_SECONDS)

    async def _follow(self) -> None:
        """Those of whom the directory has told since."""
        position = self._directory.table.position
        if position == self._read:
            return
        gone = self._gone()
        await self.sweep(gone - self._seen)
        self._seen, self._read = gone, position

    def _gone(self) -> frozenset[Gone]:
        """Nobody, before all that is known of members is read: who went may have come back."""
        if not self._directory.table.is_caught_up:
            return frozenset()
        return frozenset(
            (workspace_id, member.member_id)
            for workspace_id, there in self._directory.workspaces.items()
            for member in there.members.values()
            if not member.active
        )

    async def sweep(self, gone: Iterable[Gone]) -> int:
        """In how many cases something was theirs."""
        freed = 0
        for workspace_id, member_id in gone:
            after = ""
            while rows := await self._theirs(workspace_id, member_id, after):
                commands = [self._command(workspace_id, member_id, row) for row in rows]
                with left_out("departure", rows[0]["_id"], SERVER_AWAY):
                    freed += await self._free(commands)
                after = rows[-1]["_id"]
        return freed

    async def _theirs(self, workspace_id: str, member_id: str, after: str) -> list[Document]:
        known = (f"member:{member_id}", offered_by(member_id))
        keys = [f"{state}/{one}" for state in _OPEN for one in known]
        return await self._inbox.find(
            {"workspace": workspace_id, "keys": {"$in": keys}, "_id": {"$gt": after}},
            {"v": 1},
            sort=[("_id", ASCENDING)],
            limit=_AT_ONCE,
        ).to_list()

    async def _free(self, commands: Sequence[Command[Conversation]]) -> int:
        try:
            outcomes = await self._handler.handle(commands)
        except SERVER_AWAY:
            raise
        except Exception:
            if len(commands) == 1:
                raise
            # One of them is the trouble, and it alone is left.
            freed = 0
            for command in commands:
                with left_out("departure", command.stream, SERVER_AWAY):
                    freed += await self._free([command])
            return freed
        return sum(isinstance(outcome, Done) and bool(outcome.changes) for outcome in outcomes)

    def _command(self, workspace_id: str, member_id: str, row: Document) -> Command[Conversation]:
        def decide(conversation: Conversation) -> None:
            member = self._member(workspace_id, member_id)
            if member is not None and not member.active:
                conversation.member_gone(member_id, self._directory.table.sequence_of(member_id))

        # They may go twice, and have had something to do with the same case each time.
        cause = f"member-gone/{member_id}/{row['v']}"
        return Command(workspace_id, row["_id"], cause, decide)

    def _member(self, workspace_id: str, member_id: str) -> MemberState | None:
        return self._directory.of(workspace_id).members.get(member_id)
