"""Send a case to the workspace's CRM."""

from services.conversation.domain.conversation.life import Life, MemberEvent, NobodyTookIt
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.events import stored


@stored("conversation.case-sent-to-crm.v1")
class CaseSentToCrm(MemberEvent, frozen=True, kw_only=True):
    """A member asked for what is known of the case and its customer to go to the CRM."""

    def change(self, state: ConversationState) -> ConversationState:
        return state


class Crm(Life):
    def send_to_crm(self, member_id: str, *, manages: bool) -> None:
        """Those who belong to the case send it, as often as they like; who manages cases any.

        Errors: NoCaseYet, TakenBy, AlreadyDone (nobody ever had it), NobodyTookIt.
        """
        case = self.case
        self._refuse_no_case()
        if not manages and member_id not in case.participants:
            self._refuse_held_by_another(member_id)
            if case.responsible is None:
                self._refuse_done()
                raise NobodyTookIt
        self._trigger(CaseSentToCrm(at=self.at(self.now), case=case.number, member_id=member_id))
