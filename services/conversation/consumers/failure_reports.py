"""Reports to conversations of what failed: messages that did not arrive, corrections that the
channel refused.

A report first reads from its conversation what is known of the message. Where the conversation went
on meanwhile, the report reads again: the message may have been edited, or sent, once more.
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

type ConversationSnapshots = Mapping[str, Snapshot[ConversationState]]
type LoadConversations = Callable[[Collection[str]], Awaitable[ConversationSnapshots]]

# How often conversations that go on are read.
_READ_AT_MOST: Final = 50
_READ_AGAIN_SECONDS: Final = 0.05


class FailureReports:
    """Has each failure decided on by its conversation, as the conversation stands at that moment.

    ``find``: as ``DeliveryHandler`` has it. ``messages``: the rows of the messages.
    """

    def __init__(
        self,
        conversations: CommandHandler[ConversationState, Conversation],
        find: LoadConversations,
        store: SealedStore,
        messages: Rows,
    ) -> None:
        self._conversations = conversations
        self._find = find
        self._store = store
        self._messages = messages

    async def report(
        self,
        undelivered: Sequence[tuple[Received, DeliveryChanged]],
        uncorrected: Sequence[tuple[Received, CorrectionFailed]],
    ) -> list[Refused]:
        """The messages whose conversation refused the report.

        Errors: Transient (a conversation goes on all the while), the driver's.
        """
        refused = []
        waiting: list[_FailureReport] = [_SendingFailure(*one) for one in undelivered]
        waiting += [_CorrectionFailure(*one) for one in uncorrected]
        tries = 0
        while waiting:
            # One of each conversation at a time: what it decides, the next one has to know.
            first = {one.conversation_id: one for one in reversed(waiting)}
            found = await self._find(first)
            await asyncio.gather(*(self._read(one, found) for one in first.values()))
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
            reported = set()
            for one, outcome in zip(first.values(), outcomes, strict=True):
                if not isinstance(outcome, Done):
                    refused.append(Refused(one.received, reason_of(outcome)))
                elif one.overtaken:
                    continue
                reported.add(one)
            waiting = [one for one in waiting if one not in reported]
            if not reported:
                tries += 1
                if tries == _READ_AT_MOST:
                    raise Transient("the conversations go on while their messages are looked up")
                # Who wrote it down may have stopped before the rows had it.
                await self._conversations.finish(first)
                await asyncio.sleep(_READ_AGAIN_SECONDS)
        return refused

    async def _read(self, report: "_FailureReport", found: ConversationSnapshots) -> None:
        snapshot = found.get(report.conversation_id)
        report.version = snapshot.version if snapshot else 0
        if snapshot is not None:
            await report.read(Timeline(self._store, self._messages, snapshot))


class _FailureReport(ABC):
    """Decides on the conversation if that still is at ``version``, where the message was read."""

    def __init__(self, received: Received, conversation_id: str, cause: str) -> None:
        self.received = received
        self.conversation_id = conversation_id
        self.cause = cause
        self.version = 0
        self.overtaken = False

    @abstractmethod
    async def read(self, timeline: Timeline) -> None:
        """Read what is known of the message."""

    @abstractmethod
    def apply(self, conversation: Conversation) -> None: ...

    def __call__(self, conversation: Conversation) -> None:
        self.overtaken = conversation.version != self.version
        if not self.overtaken:
            self.apply(conversation)


class _SendingFailure(_FailureReport):
    """A message did not arrive, or nobody knows whether it did."""

    def __init__(self, received: Received, body: DeliveryChanged) -> None:
        # What an attempt ends with is one cause, however often it is reported.
        cause = f"sending/{body.message_id}/{body.attempt}/{body.state}"
        super().__init__(received, body.conversation_id, cause)
        self._body = body
        self._sending: Sending | None = None

    async def read(self, timeline: Timeline) -> None:
        self._sending = await timeline.sending(self._body.message_id)

    def apply(self, conversation: Conversation) -> None:
        body = self._body
        conversation.sending_failed(
            self._sending,
            body.attempt,
            "failed" if body.state == "failed" else "uncertain",
            body.occurred_at,
            body.reason,
            body.reason_code,
        )


class _CorrectionFailure(_FailureReport):
    """The channel did not correct a message as was decided."""

    def __init__(self, received: Received, body: CorrectionFailed) -> None:
        super().__init__(received, body.conversation_id, f"correction-failed/{body.request_id}")
        self._body = body
        self._customer_copy: CustomerCopy | None = None

    async def read(self, timeline: Timeline) -> None:
        body = self._body
        self._customer_copy = await timeline.customer_copy(body.message_id, _asked_at(body))

    def apply(self, conversation: Conversation) -> None:
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
