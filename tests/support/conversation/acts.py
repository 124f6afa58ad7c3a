"""What members do to a conversation, as a table: tests that do anything in any order draw from it.

A new action of members is a line here.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, get_args

from libs.events.content import Content
from libs.events.customer import FunnelStatus
from libs.events.marks import Priority
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import SentBefore
from services.conversation.domain.customer.customer import Customer
from services.conversation.domain.customer.state import By
from tests.support.scenarios import minutes

MEMBERS: Final = ("dima", "olena", "ivan")
GROUPS: Final = ("grp_1", "grp_2")
PRIORITIES: Final[tuple[Priority, ...]] = ("none", "low", "high", "urgent")
TAGS: Final = ("coffee", "tea", "milk")

FUNNEL: Final[tuple[FunnelStatus, ...]] = get_args(FunnelStatus)

type Act = Callable[[Conversation, int], None]
type CustomerAct = Callable[[Customer, int], None]


def said(step: int) -> str:
    """Words that are said once, so that it can be told whether they are still anywhere."""
    return f"word{step}said"


def acts_of(member_id: str) -> dict[str, Act]:
    """Each by its name, as the member does it; ``step`` varies whom and what it concerns."""

    def other(step: int) -> str:
        return MEMBERS[step % len(MEMBERS)]

    def manages(step: int) -> bool:
        return step % 4 == 0

    return {
        "assign": lambda c, step: c.assign(
            member_id, other(step), minutes(step), manages=manages(step)
        ),
        "unassign": lambda c, step: c.unassign(member_id, manages=manages(step)),
        "forward": lambda c, step: c.forward(member_id, GROUPS[step % 2], manages=manages(step)),
        "take_over": lambda c, step: c.take_over(member_id, manages=manages(step)),
        "set_due": lambda c, step: c.set_due(member_id, minutes(step), manages=manages(step)),
        "offer": lambda c, step: c.offer(member_id, other(step), manages=manages(step)),
        "accept": lambda c, step: c.accept(member_id),
        "decline": lambda c, step: c.decline(member_id),
        "withdraw": lambda c, step: c.withdraw(member_id, manages=manages(step)),
        "add_participant": lambda c, step: c.add_participant(
            member_id, other(step), manages=manages(step)
        ),
        "remove_participant": lambda c, step: c.remove_participant(
            member_id, other(step), manages=manages(step)
        ),
        "gone": lambda c, step: c.member_gone(other(step), step),
        "leave": lambda c, step: c.leave(member_id),
        "open_by_hand": lambda c, step: c.open_by_hand(member_id, "loc_1", step),
        "send_to_crm": lambda c, step: c.send_to_crm(member_id, manages=manages(step)),
        "take": lambda c, step: c.take(member_id),
        "reply": lambda c, step: c.reply(member_id, f"msg_{step}", Content(text=said(step))),
        "edit": lambda c, step: c.edit_sent(
            member_id, _sent_lately(c, step), Content(text=said(step)), manages=manages(step)
        ),
        "delete": lambda c, step: c.delete_sent(
            member_id, _sent_lately(c, step), manages=manages(step)
        ),
        "record_activity": lambda c, step: c.record_activity(
            member_id, f"act_{step}", "ordered", {"order": said(step)}, minutes(step)
        ),
        "close": lambda c, step: c.close(member_id, manages=False),
        "close_any": lambda c, step: c.close(member_id, manages=True),
        "reopen": lambda c, step: c.reopen(member_id, manages=False),
        "reopen_any": lambda c, step: c.reopen(member_id, manages=True),
        "flag": lambda c, step: c.flag(member_id),
        "unflag": lambda c, step: c.unflag(member_id),
        "prioritise": lambda c, step: c.set_priority(member_id, PRIORITIES[step % 4]),
        "tag": lambda c, step: c.change_marks(
            member_id, "tag", add=(TAGS[step % 3],), remove=(TAGS[step % 2],)
        ),
        "set_status": lambda c, step: c.set_mark(
            member_id, "status", (None, "lbl_1", "lbl_2")[step % 3]
        ),
        "set_fields": lambda c, step: c.set_fields(
            member_id, {"fld_1": step % 4, "fld_2": said(step)}
        ),
        "mark_message": lambda c, step: c.mark_message(
            member_id, f"msg_{step}", (None, "positive", "negative")[step % 3]
        ),
        "mark_read": lambda c, step: c.mark_read(member_id),
        "mark_unread": lambda c, step: c.mark_unread(member_id),
        "note": lambda c, step: c.note(
            member_id,
            f"note_{step}",
            said(step),
            mentions=MEMBERS[: step % 3],
            manages=manages(step),
        ),
    }


def customer_acts_of(by: By) -> dict[str, CustomerAct]:
    """The same of what members do to a customer."""
    return {
        "block": lambda c, step: c.block(by),
        "unblock": lambda c, step: c.unblock(by),
        "edit_card": lambda c, step: c.edit_card(
            by,
            {"name": said(step), "phone": (None, f"+380{step}")[step % 2]},
            {"fld_3": said(step)},
        ),
        "move_in_funnel": lambda c, step: c.move_in_funnel(by, FUNNEL[step % len(FUNNEL)]),
        "change_sales_plans": lambda c, step: c.change_sales_plans(
            by, (TAGS[step % 3],), (TAGS[step % 2],)
        ),
        "unsubscribe": lambda c, step: c.unsubscribe(by),
        "subscribe": lambda c, step: c.subscribe(by),
    }


def _sent_lately(conversation: Conversation, step: int) -> SentBefore:
    """One of the latest messages that members sent; one of nobody where there are none."""
    state = conversation.state
    lately = state.recently_sent if state else ()
    return SentBefore(
        message_id=lately[step % len(lately)].message_id if lately else "msg_none",
        member_id=MEMBERS[step % len(MEMBERS)] if lately else None,
        content=Content(text="as it was"),
        sent_at=datetime.now(UTC),
        delivery="sent",
        external_message_ids=(f"x{step}",),
    )
