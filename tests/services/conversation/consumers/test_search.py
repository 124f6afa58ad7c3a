"""The search's rows follow the conversations' events, however often those are told."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from libs.events.content import Content
from libs.events.envelope import read_envelope
from libs.runtime.consumer import Received
from libs.runtime.outbox import kafka_message
from services.conversation.consumers.search import SearchHandler
from services.conversation.domain.conversation.conversation import Conversation
from services.conversation.publishing.conversations import conversation_messages
from services.conversation.read_models.customers.rows import CUSTOMERS
from services.conversation.read_models.search.cards import CardRows
from services.conversation.read_models.search.index import SEARCH
from tests.support.conversation.cases import PLACE, Given, written
from tests.support.conversation.rows import Made
from tests.support.scenarios import NOON, minutes

pytestmark = pytest.mark.servers


def told_of(conversation: Conversation) -> list[Received]:
    """What the search needs of its changes: their events."""
    told = []
    for message in conversation_messages(conversation, [{} for _ in conversation.changes]):
        sent = kafka_message(message)
        envelope = read_envelope(sent.key, tuple(sent.headers), sent.value or b"")
        told.append(Received(envelope, cast(Any, None)))
    return told


async def test_a_repeat_within_a_batch_brings_no_older_text_back(made: Made) -> None:
    given = Given()
    received = given.at(NOON)
    received.receive(written(1, NOON), PLACE)
    first = told_of(received)
    edited = given.at(minutes(1))
    corrected = replace(written(1, NOON), content=Content(text="corrected"))
    edited.edit(corrected, "incoming", PLACE)
    then = told_of(edited)

    cards = CardRows(made.rows.database[CUSTOMERS], made.index, made.entries)
    await SearchHandler(made.index, made.entries, made.rows, cards)([*first, *then, *first])

    row = await made.rows.database[SEARCH].find_one({"_id": "msg_1"})
    assert row is not None
    assert row["v"] == 3
