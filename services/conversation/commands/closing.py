"""Closing a case, alone or with what another command does."""

from libs.events.actions import Action
from libs.runtime.problems import Forbidden
from services.conversation.commands.custom_fields import required_fields
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.localization.localizer import TEXTS
from services.conversation.read_models.member import MemberContext


def check_may_close(actor: MemberContext) -> None:
    """Asked where another command is to close too. Errors: Forbidden."""
    if not actor.caller.may(Action.CLOSE):
        raise Forbidden(TEXTS.say("forbidden.close"))


def close_case(actor: MemberContext, conversation: Conversation) -> None:
    """As the aggregate does, where the fields that every case is to have are filled in."""
    before = conversation.version
    conversation.close(
        actor.member_id,
        manages=actor.manages,
        untaken=actor.caller.may(Action.CLOSE_UNTAKEN),
    )
    if conversation.version > before:
        conversation.require_fields(required_fields(actor.directory))
