"""From a member's command to its decision: whether they see the conversation, and the outcome."""

from collections.abc import Callable
from datetime import UTC, datetime

from libs.aggregates.commands import Command, Done, NotThere
from libs.events.api import ConversationView
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import Problem, Unavailable
from libs.runtime.texts import COMMON
from libs.runtime.tracing import trace_headers
from services.conversation.commands.answers import Answer, answer_of, state_of
from services.conversation.commands.queue import CommandQueue
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.refusals import no_such_conversation, problem_of
from services.conversation.metrics import COMMANDS
from services.conversation.read_models.member import MemberContext

type Decide = Callable[[Conversation], None]

_WEIGHT_BYTES = 2_000
_BYTES_A_CHARACTER = 8


class CommandExecutor:
    """Errors of all: NotFound, Unavailable, and the refusals of what ``decide`` calls."""

    def __init__(self, queue: CommandQueue) -> None:
        self._queue = queue

    async def act(
        self,
        actor: MemberContext,
        command: str,
        conversation_id: str,
        cause: str,
        decide: Decide,
        characters: int = 0,
    ) -> Answer[ConversationView]:
        """``execute``, answered with the conversation after it."""
        done = await self.execute(actor, command, conversation_id, cause, decide, characters)
        return answer_of(state_of(done))

    async def execute(
        self,
        actor: MemberContext,
        command: str,
        conversation_id: str,
        cause: str,
        decide: Decide,
        characters: int = 0,
    ) -> Done[ConversationState]:
        """``command``: its name in the metrics; ``characters``: of the text that it writes."""
        location_id = ""

        def if_visible(conversation: Conversation) -> None:
            nonlocal location_id
            state = conversation.state
            if state is None or not actor.sees(state):
                raise NotThere
            location_id = state.case.location_id
            decide(conversation)

        weight = _WEIGHT_BYTES + _BYTES_A_CHARACTER * characters
        asked = Command(
            actor.workspace_id, conversation_id, cause, if_visible, trace_headers(), weight
        )
        try:
            outcome = await self._queue.decide(asked)
        except SERVER_AWAY as error:
            raise Unavailable(COMMON.say("unavailable.not-confirmed")) from error
        if isinstance(outcome, Done):
            COMMANDS.labels(command, "repeated" if outcome.repeated else "done").inc()
            # What was done before is answered with what is there now, which may be another's case.
            if outcome.repeated and not actor.sees(state_of(outcome).state):
                raise no_such_conversation()
            return outcome
        COMMANDS.labels(command, "refused").inc()
        refused: Problem = problem_of(outcome, actor.directory, location_id, datetime.now(UTC))
        raise refused
