"""Any history of a conversation, as Hypothesis draws it."""

from libs.events.customer import Card
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.customer_profile import KnownProfile
from tests.support.conversation.acts import MEMBERS, Act, acts_of
from tests.support.conversation.cases import PLACE, ROUTED, written
from tests.support.scenarios import minutes


def _receive(conversation: Conversation, step: int) -> None:
    conversation.receive(written(step, minutes(step - 3), minutes(step)), PLACE)


def _receive_routed(conversation: Conversation, step: int) -> None:
    conversation.receive(written(step, minutes(step)), ROUTED)


def _seen_sent(conversation: Conversation, step: int) -> None:
    conversation.seen_sent(written(step, minutes(step)), PLACE)


def _edit(conversation: Conversation, step: int) -> None:
    conversation.edit(written(max(step - 1, 0), minutes(step)), "incoming", PLACE)


def _route(conversation: Conversation, step: int) -> None:
    conversation.route(conversation.case.case_id, "grp_1", timed_out=step % 2 == 0)


def _block(conversation: Conversation, step: int) -> None:
    conversation.set_blocked("dima", blocked=step % 3 != 0)


def _know(conversation: Conversation, step: int) -> None:
    card = Card(name="Ada", tags=("vip",))
    conversation.know_customer(
        "dima", KnownProfile(f"cus_{step % 2}", step % 4, card, "interested", ())
    )


def _erase(conversation: Conversation, step: int) -> None:
    conversation.erase_customer("dima", step % 3 + 1)


def _correction_failed(conversation: Conversation, step: int) -> None:
    conversation.correction_failed(f"msg_{step}", "delete", "no", "refused", minutes(step))


def _deleted_elsewhere(conversation: Conversation, step: int) -> None:
    conversation.deleted_elsewhere(f"msg_{step}", "incoming", minutes(step))


ACTS: list[Act] = [
    _receive,
    _receive_routed,
    _seen_sent,
    _edit,
    _route,
    _block,
    _know,
    _erase,
    _correction_failed,
    _deleted_elsewhere,
    *(act for member in MEMBERS for act in acts_of(member).values()),
]
