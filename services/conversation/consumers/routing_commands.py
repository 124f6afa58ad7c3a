"""``parley.commands``: routing's decisions on the cases that wait for them."""

from collections.abc import Sequence

from libs.aggregates.command_handler import CommandHandler
from libs.aggregates.commands import Command, Done
from libs.events.commands import RouteCase
from libs.runtime.consumer import Received, Refused
from services.conversation.consumers.dead_letter_reasons import not_expected, reason_of
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState


class RoutingCommandHandler:
    """Has the decisions of a whole batch applied together."""

    def __init__(self, handler: CommandHandler[ConversationState, Conversation]) -> None:
        self._handler = handler

    async def __call__(self, batch: Sequence[Received]) -> list[Refused]:
        commands, origins, refused = [], [], []
        for one in batch:
            body = one.envelope.body
            if not isinstance(body, RouteCase):
                refused.append(not_expected(one))
                continue
            origins.append(one)
            commands.append(_command(one, body))
        outcomes = await self._handler.handle(commands)
        for one, outcome in zip(origins, outcomes, strict=True):
            if not isinstance(outcome, Done):
                refused.append(Refused(one, reason_of(outcome)))
        return refused


def _command(one: Received, body: RouteCase) -> Command[Conversation]:
    return Command(
        one.envelope.workspace_id,
        body.conversation_id,
        body.cause,
        lambda conversation: conversation.route(body.case_id, body.group_id),
        one.envelope.extra,
    )
