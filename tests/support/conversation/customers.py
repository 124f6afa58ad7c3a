"""One of each stored event of a customer, and of what a customer brings to a conversation."""

from datetime import datetime
from typing import Any

from libs.events.content import Channel, Content, Sender
from libs.events.customer import Card, Visit
from services.conversation.domain.conversation import activities, blocking, customer_profile
from services.conversation.domain.customer import blocks, subscriptions
from services.conversation.domain.customer import card as customer_card
from services.conversation.domain.customer import erasure as customer_erasure
from services.conversation.domain.customer import identities as customer_identities
from services.conversation.domain.events import Event


def customer_examples(at: datetime, content: Content, sender: Sender) -> list[Event[Any]]:
    who: dict[str, Any] = {"workspace_id": "wsp_1", "customer_id": "cus_1", "member_id": "mem_2"}
    visit = Visit(
        at=at,
        tool="кнопка на сайті",
        google_id="GA1.2.1",
        link="https://coffee.example/?utm_source=insta",
        utm={"source": "insta"},
    )
    return [
        activities.ActivityRecorded(
            at=at,
            case=2,
            activity_id="act_1",
            activity="payment_failed",
            member_id="mem_2",
            variables={"offer": "Курс", "sum": 10.5, "first": True},
        ),
        blocking.MessageWithheld(
            at=at,
            case=0,
            message_id="msg_3",
            external_message_id="9",
            content=content,
            sender=sender,
            received_at=at,
            reply_to="msg_1",
            begins=blocking.Begins(
                workspace_id="wsp_1",
                conversation_id="cnv_1",
                source_id="src_1",
                channel=Channel.TELEGRAM,
                customer_id="cus_1",
                location_id="loc_1",
            ),
            thread="100",
        ),
        blocking.EditWithheld(
            at=at, case=2, message_id="msg_3", content=content, sender=sender, reply_to="msg_1"
        ),
        customer_profile.CustomerKnown(
            at=at,
            case=2,
            member_id="mem_2",
            primary_id="cus_2",
            became="merged",
            name="Ада Л.",
            edits=3,
            card=Card(name="Ада Л.", phone="+380501112233", tags=("vip",)),
            funnel_status="customer",
            sales_plans=("осінь",),
        ),
        blocking.CustomerBlocked(at=at, case=2, member_id="mem_2"),
        blocking.CustomerUnblocked(at=at, case=2, member_id="mem_2"),
        customer_card.CardEdited(
            at=at,
            card={"name": "Ада Л.", "phone": None, "tags": ("vip",)},
            fields={"fld_1": 3, "fld_2": None, "fld_3": ("cho_1",)},
            **who,
        ),
        customer_card.MovedInFunnel(at=at, status="interested", **who),
        customer_card.SalesPlansChanged(
            at=at, plans_added=("осінь",), plans_removed=("літо",), **who
        ),
        customer_card.VisitRecorded(at=at, visit=visit, **who),
        blocks.Blocked(at=at, **who),
        blocks.Unblocked(at=at, **who),
        subscriptions.Subscribed(at=at, again=True, **who),
        subscriptions.Unsubscribed(at=at, **who),
        customer_identities.Merged(at=at, primary_id="cus_2", **who),
        customer_identities.Split(at=at, split_from="cus_2", **who),
        customer_erasure.Erased(at=at, erasure=1, **who),
    ]
