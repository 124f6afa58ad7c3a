"""Corrections: given a message that was sent, when somebody changes it, then what is allowed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from libs.aggregates.aggregate import RuleBroken
from libs.events.content import Attachment, Channel, Content
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.domain.conversation.corrections import (
    AlreadyDeleted,
    ChannelRefuses,
    MessageEdited,
    NoTextToEdit,
    NotSentYet,
    SentBefore,
    WrittenByAnother,
    WrittenElsewhere,
)
from tests.support.conversation.cases import (
    PLACE,
    Given,
    active_case,
    changes,
    events,
    written,
)
from tests.support.scenarios import NOON, minutes

HELLO = Content(text="Helo")
FIXED = Content(text="Hello")
PICTURE = Attachment(attachment_id="att_1", kind="image", media_type="image/png", reference="x")
SENT = SentBefore(
    message_id="msg_9",
    member_id="dima",
    content=HELLO,
    sent_at=minutes(2),
    delivery="sent",
    external_message_ids=("77",),
)

type Correct = Callable[[Conversation, SentBefore], None]


def edit(conversation: Conversation, sent: SentBefore) -> None:
    conversation.edit_sent("dima", sent, FIXED, manages=False)


def delete(conversation: Conversation, sent: SentBefore) -> None:
    conversation.delete_sent("dima", sent, manages=False)


@pytest.fixture
def given() -> Given:
    given = active_case("dima")
    given.at(minutes(2)).reply("dima", "msg_9", HELLO)
    return given


def preview(conversation: Conversation) -> str:
    assert conversation.state is not None
    assert conversation.state.last_message is not None
    return conversation.state.last_message.preview


def test_an_edit_is_told_with_where_the_platform_has_the_message(given: Given) -> None:
    conversation = given.at(minutes(3))
    edit(conversation, SENT)
    [event] = events(conversation)
    assert isinstance(event, MessageEdited)
    assert (event.content, event.member_id, event.external_message_ids) == (FIXED, "dima", ("77",))
    assert preview(conversation) == "Hello"

    same = given.at(minutes(4))
    edit(same, replace(SENT, content=FIXED))
    assert changes(same) == []


def test_the_list_shows_nothing_of_a_message_that_is_deleted(given: Given) -> None:
    conversation = given.at(minutes(3))
    delete(conversation, SENT)
    assert (changes(conversation), preview(conversation)) == (["MessageDeleted"], "")


def test_a_correction_of_an_older_message_leaves_the_list_as_it_is(given: Given) -> None:
    given.at(minutes(3)).receive(written(2, minutes(3)), PLACE)
    conversation = given.at(minutes(4))
    delete(conversation, SENT)
    assert preview(conversation) == "message 2"


@pytest.mark.parametrize("correct", [edit, delete])
@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"member_id": None}, WrittenElsewhere),
        ({"member_id": "olena"}, WrittenByAnother),
        ({"deleted_at": NOON}, AlreadyDeleted),
        ({"external_message_ids": (), "delivery": "queued"}, NotSentYet),
        ({"delivery": "failed"}, NotSentYet),
    ],
)
def test_what_cannot_be_corrected(
    given: Given, correct: Correct, wrong: dict[str, Any], refusal: type[RuleBroken]
) -> None:
    with pytest.raises(refusal):
        correct(given.at(minutes(3)), replace(SENT, **wrong))


def test_who_manages_cases_corrects_what_others_wrote(given: Given) -> None:
    given.at(minutes(3)).close("dima", manages=False)
    conversation = given.at(minutes(4))
    conversation.edit_sent("owner", SENT, FIXED, manages=True)
    conversation.delete_sent("owner", SENT, manages=True)
    assert changes(conversation) == ["MessageEdited", "MessageDeleted"]


def test_telegram_lets_one_delete_for_two_days_and_edit_for_ever(given: Given) -> None:
    almost = minutes(2) + timedelta(hours=48, seconds=-1)
    delete(given.at(almost), SENT)
    late = given.at(minutes(2) + timedelta(hours=48))
    with pytest.raises(ChannelRefuses) as refused:
        delete(late, SENT)
    assert (refused.value.channel, refused.value.within) == (Channel.TELEGRAM, timedelta(hours=48))
    edit(late, SENT)


@pytest.mark.parametrize(
    ("attachments", "editable"), [((), False), ((PICTURE,), True), ((PICTURE, PICTURE), False)]
)
def test_text_is_put_only_where_the_platform_has_a_place_for_it(
    given: Given, attachments: tuple[Attachment, ...], editable: bool
) -> None:
    silent = replace(SENT, content=Content(attachments=attachments))
    if editable:
        edit(given.at(minutes(3)), silent)
    else:
        with pytest.raises(NoTextToEdit):
            edit(given.at(minutes(3)), silent)


def test_a_deletion_on_the_platform_is_kept(given: Given) -> None:
    conversation = given.at(minutes(5))
    conversation.deleted_elsewhere("msg_1", "incoming", minutes(4))
    assert changes(conversation) == ["MessageDeleted"]

    nothing = Given().at(minutes(1))
    nothing.deleted_elsewhere("msg_1", "incoming", minutes(1))
    assert changes(nothing) == []
