"""Forgetting a customer."""

from libs.aggregates.commands import NotThere
from libs.events.api.customers import ErasedCustomer
from libs.runtime.away import SERVER_AWAY
from libs.runtime.problems import NotFound, Unavailable
from libs.runtime.texts import COMMON
from services.conversation.localization.localizer import TEXTS
from services.conversation.metrics import COMMANDS
from services.conversation.privacy.erasure.erasure_process import ErasureProcess
from services.conversation.read_models.member import MemberContext


class ErasureCommands:
    def __init__(self, erasure: ErasureProcess) -> None:
        self._erasure = erasure

    async def erase_customer(self, actor: MemberContext, customer_id: str) -> ErasedCustomer:
        """All that was said with a customer and who they are; it cannot be undone.

        Whoever may do it at all may do it to every customer of the workspace: what they may see of
        the conversations plays no part.
        """
        me, workspace_id = actor.member_id, actor.workspace_id
        try:
            erasures = await self._erasure.erase(workspace_id, customer_id, me)
        except NotThere as error:
            raise NotFound(TEXTS.say("not-found.customer")) from error
        except SERVER_AWAY as error:
            raise Unavailable(COMMON.say("unavailable.not-confirmed")) from error
        COMMANDS.labels("erase", "done").inc()
        return ErasedCustomer(
            customer_id=customer_id,
            erased_at=erasures[0].at,
            conversations=sum(len(one.conversations) for one in erasures),
        )
