"""What queries and commands know of the member who asks."""

from dataclasses import dataclass

from libs.events.actions import Action
from libs.events.directory import MemberState, Role
from libs.runtime.directory import Directory, WorkspaceDirectory
from libs.runtime.language import default_to
from libs.runtime.problems import Unavailable
from libs.runtime.texts import COMMON
from libs.runtime.tokens import Caller
from services.conversation.domain.audience import audience_of
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.localization.localizer import Localizer

_SEE_EVERYBODY = (Role.OWNER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class MemberContext:
    """A member, what their token lets them do, and their workspace's directory."""

    caller: Caller
    member: MemberState
    directory: WorkspaceDirectory

    @property
    def workspace_id(self) -> str:
        return self.caller.workspace_id

    @property
    def member_id(self) -> str:
        return self.member.member_id

    @property
    def manages(self) -> bool:
        """Whether they may do with a case what its responsible may."""
        return self.caller.may(Action.MANAGE_CASES)

    @property
    def sees_every_customer(self) -> bool:
        return self.member.role in _SEE_EVERYBODY

    def sees(self, state: ConversationState | None) -> bool:
        """Of a conversation of the workspace; nobody sees what is not there."""
        return self.directory.may_see(self.member, audience_of(state))

    def answers(self, member_id: str) -> bool:
        """Whether this member of the workspace, any, is active and answers customers."""
        member = self.directory.members.get(member_id)
        return member is not None and self.directory.may(member, Action.ANSWER)

    def localizer(self, state: ConversationState) -> Localizer:
        """Times are told in the time zone of the case's location."""
        return Localizer(self.directory, state.case.location_id)


class Members:
    """The members of all workspaces, as the directory has them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def of(self, caller: Caller) -> MemberContext:
        """The caller's context; from here on the request is answered in their language.

        Errors: Unavailable (the directory here does not know them yet).
        """
        directory = self._directory.of(caller.workspace_id)
        member = directory.members.get(caller.member_id)
        if member is None:
            raise Unavailable(COMMON.say("unavailable.unknown-member"))
        default_to(directory.language_of(member))
        return MemberContext(caller, member, directory)
