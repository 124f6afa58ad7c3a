"""Telling conversations of what was not done for them: messages that did not arrive, corrections
that the channel refused.

What there is to know of the message is read from its conversation first; where that went on
meanwhile, it is read again: the message may have been edited, or sent, once more.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from libs.aggregates.aggregate import Snapshot
from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.events.inbound import CorrectionFailed, DeliveryChanged
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.rows import Rows
from services.conversation.consumers.dead_letter_reasons import reason_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import CustomerCopy
from services.conversation.domain.conversation.sending import Sending
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.privacy.sealed_store import SealedStore
from services.conversation.read_models.timeline import Timeline

type Conversations = Mapping[str, Snapshot[ConversationState]]
type FindConversations = Callable[[Collection[str]], Awaitable[Conversations]]

# How often conversations that go on are read.
_READ_AT_MOST: Final = 50
_READ_AGAIN_SECONDS: Final = 0.05


class Undone:
    def __init__(
        self,
        conversations: CommandHandler[ConversationState, Conversation],
        find: FindConversations,
        store: SealedStore,
        messages: Rows,
    ) -> None:
        self._conversations = conversations
        self._find = find
        self._store = store
        self._messages = messages

    async def tell(
        self,
        undelivered: Sequence[tuple[Received, DeliveryChanged]],
        uncorrected: Sequence[tuple[Received, CorrectionFailed]],
    ) -> list[Refused]:
        """Errors: Transient (a conversation goes on all the while)."""
        refused = []
        waiting: list[_Telling] = [_NotDelivered(*one) for one in undelivered]
        waiting += [_NotCorrected(*one) for one in uncorrected]
        tries = 0
        while waiting:
            # One of each conversation at a time: what it decides, the next one has to know.
            first = {one.conversation_id: one for one in reversed(waiting)}
            found = await self._find(first)
            await asyncio.gather(*(self._look(one, found) for one in first.values()))
            outcomes = await self._conversations.handle(
                [
                    Command(
                        one.received.envelope.workspace_id,
                        one.conversation_id,
                        one.cause,
                        one,
                        one.received.envelope.extra,
                    )
                    for one in first.values()
                ]
            )
            told = set()
            for one, outcome in zip(first.values(), outcomes, strict=True):
                if not isinstance(outcome, Done):
                    refused.append(Refused(one.received, reason_of(outcome)))
                elif one.overtaken:
                    continue
                told.add(one)
            waiting = [one for one in waiting if one not in told]
            if not told:
                tries += 1
                if tries == _READ_AT_MOST:
                    raise Transient("the conversations go on while their messages are looked up")
                # Who wrote it down may have stopped before the rows had it.
                await self._conversations.finish(first)
                await asyncio.sleep(_READ_AGAIN_SECONDS)
        return refused

    async def _look(self, telling: "_Telling", found: Conversations) -> None:
        snapshot = found.get(telling.conversation_id)
        telling.version = snapshot.version if snapshot else 0
        if snapshot is not None:
            await telling.look(Timeline(self._store, self._messages, snapshot))


class _Telling(ABC):
    """Tells the conversation, if it still is as it was when the message was looked up in it."""

    def __init__(self, received: Received, conversation_id: str, cause: str) -> None:
        self.received = received
        self.conversation_id = conversation_id
        self.cause = cause
        self.version = 0
        self.overtaken = False

    @abstractmethod
    async def look(self, timeline: Timeline) -> None:
        """What there is to know of the message."""

    @abstractmethod
    def tell(self, conversation: Conversation) -> None: ...

    def __call__(self, conversation: Conversation) -> None:
        self.overtaken = conversation.version != self.version
        if not self.overtaken:
            self.tell(conversation)


class _NotDelivered(_Telling):
    """A message did not arrive, or nobody knows whether it did."""

    def __init__(self, received: Received, body: DeliveryChanged) -> None:
        # What an attempt ends with is one cause, however often it is told.
        cause = f"sending/{body.message_id}/{body.attempt}/{body.state}"
        super().__init__(received, body.conversation_id, cause)
        self._body = body
        self._sending: Sending | None = None

    async def look(self, timeline: Timeline) -> None:
        self._sending = await timeline.sending(self._body.message_id)

    def tell(self, conversation: Conversation) -> None:
        body = self._body
        conversation.sending_failed(
            self._sending,
            body.attempt,
            "failed" if body.state == "failed" else "uncertain",
            body.occurred_at,
            body.reason,
            body.reason_code,
        )


class _NotCorrected(_Telling):
    """The channel did not correct a message as was decided."""

    def __init__(self, received: Received, body: CorrectionFailed) -> None:
        super().__init__(received, body.conversation_id, f"correction-failed/{body.request_id}")
        self._body = body
        self._customer_copy: CustomerCopy | None = None

    async def look(self, timeline: Timeline) -> None:
        body = self._body
        self._customer_copy = await timeline.customer_copy(body.message_id, _asked_at(body))

    def tell(self, conversation: Conversation) -> None:
        body = self._body
        conversation.correction_failed(
            body.message_id,
            body.correction,
            body.reason,
            body.reason_code,
            body.occurred_at,
            self._customer_copy,
        )


def _asked_at(body: CorrectionFailed) -> int:
    """The version of the event that decided on it: the end of the request's name (outbound.py)."""
    version = body.request_id.rpartition(".")[2]
    return int(version) if version.isdecimal() else 0
