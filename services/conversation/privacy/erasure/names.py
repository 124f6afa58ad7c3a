"""What a person is called, by whom it is looked for what is left of them."""

from collections.abc import Iterable
from typing import Any, Final

from services.conversation.domain.conversation.blocking import EditWithheld, MessageWithheld
from services.conversation.domain.conversation.corrections import MessageEdited
from services.conversation.domain.conversation.life import CaseOpened
from services.conversation.domain.conversation.messages import MessageReceived
from services.conversation.domain.conversation.state import ConversationState
from services.conversation.domain.customer.state import CustomerState
from services.conversation.domain.events import Event

# Of a card, those by which members may look for the person.
_OF_CARD: Final = ("name", "phone", "email", "external_id")
_NAME_MIN_CHARACTERS: Final = 5


def called(
    customers: Iterable[CustomerState], conversations: Iterable[ConversationState]
) -> set[str]:
    """How members may look for the person."""
    names = {getattr(customer.card, name) for customer in customers for name in _OF_CARD}
    for state in conversations:
        names |= {state.customer_name, state.shown_as.name}
    return {name for name in names if name}


def names_in(event: Event[Any]) -> set[str]:
    """What the customer is called on the platform, as far as an event tells it."""
    match event:
        case CaseOpened(thread=thread):
            return long_enough(thread)
        case (
            MessageReceived(sender=sender)
            | MessageWithheld(sender=sender)
            | EditWithheld(sender=sender)
        ):
            return long_enough(sender.external_id, sender.username)
        case MessageEdited(sender=sender, direction="incoming") if sender:
            return long_enough(sender.external_id, sender.username)
    return set()


def long_enough(*names: str | None) -> set[str]:
    """Those that are found in nothing but what has to do with the person."""
    return {name for name in names if name and len(name) >= _NAME_MIN_CHARACTERS}
