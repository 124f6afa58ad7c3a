"""What a workspace's CRM is told of a case that a member sends to it: a CloudEvents 1.0 message in
structured mode. It has ids and no words of the customer's; with an API token one asks for more."""

from typing import Final, Literal

from libs.events.content import Channel
from libs.events.registry import Body, Instant

TYPE: Final = "parley.crm.case-sent.v1"
MEDIA_TYPE: Final = "application/cloudevents+json; charset=utf-8"


class CrmMember(Body):
    member_id: str
    name: str
    email: str


class CaseForCrm(Body):
    """``number`` is the case's in its workspace; ``customer_id`` opens the card
    (``GET /v1/customers/{id}``); ``url`` opens the conversation in the console. ``sent_by`` is null
    where the member is no longer there."""

    conversation_id: str
    case_id: str
    number: int
    url: str
    customer_id: str
    sent_by: CrmMember | None
    channel: Channel
    source_id: str
    location_id: str


class CrmEvent(Body):
    """``id`` is the same however often it is delivered, and is the header ``webhook-id`` too;
    ``time`` is when the member sent it; ``subject`` is the conversation's id."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["parley.crm.case-sent.v1"]
    subject: str
    time: Instant
    datacontenttype: Literal["application/json"]
    workspace: str
    data: CaseForCrm
