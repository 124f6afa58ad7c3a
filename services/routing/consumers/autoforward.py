"""Autoforward: a case that waits in routing is told its group, or that there is none for it."""

from collections.abc import Sequence

from libs.events.commands import RouteCase
from libs.events.conversation.case import CaseFacts, CaseOpened
from libs.events.envelope import Envelope
from libs.runtime.consumer import Received, Refused, Transient
from libs.runtime.directory import Directory
from libs.runtime.kafka import Publisher, outgoing
from services.routing.commands.directory import DirectoryCommandHandler
from services.routing.metrics import DECISIONS
from services.routing.publishing.entry_states import SOURCE


class Autoforward:
    """Answers every case opened in routing, once for each time it is told of it.

    The command's id and cause are the case's, so that conversation applies it once.
    """

    def __init__(
        self, directory: Directory, commands: DirectoryCommandHandler, publisher: Publisher
    ) -> None:
        self._directory = directory
        self._commands = commands
        self._publisher = publisher

    async def route(self, batch: Sequence[Received]) -> Sequence[Refused]:
        """For the consumer. Errors: Transient, PublishFailed, the driver's."""
        if not self._directory.table.is_caught_up:
            raise Transient("the directory is not read to its end yet")
        commands = [
            await self._command(one.envelope, body.case)
            for one in batch
            if isinstance(body := one.envelope.body, CaseOpened) and body.case.state == "routing"
        ]
        if commands:
            await self._publisher.publish([outgoing(command) for command in commands])
        for command in commands:
            to_group = isinstance(command.body, RouteCase) and command.body.group_id is not None
            DECISIONS.labels("group" if to_group else "none").inc()
        return []

    async def _command(self, opened: Envelope, case: CaseFacts) -> Envelope:
        rule = self._directory.of(opened.workspace_id).autoforward_of(case.source_id)
        if rule is None:
            # Conversation saw a rule, or the case were not in routing: it is gone, or it is newer
            # than what has been read here. The store knows.
            workspace = await self._commands.load(opened.workspace_id)
            rule = workspace.autoforward_of(case.source_id)
        cause = f"route-{case.case_id}"
        return Envelope(
            id=cause,
            source=SOURCE,
            subject=case.conversation_id,
            key=case.conversation_id,
            workspace_id=opened.workspace_id,
            sequence=0,
            time=opened.time,
            body=RouteCase(
                cause=cause,
                conversation_id=case.conversation_id,
                case_id=case.case_id,
                group_id=rule.group_id if rule else None,
            ),
            extra=opened.extra,
        )
