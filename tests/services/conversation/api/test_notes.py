"""Notes over HTTP: who may be mentioned, and what a mention does."""

import pytest

from libs.events.conversation.message import NoteAdded
from libs.events.directory import Role
from libs.events.ids import random_id
from tests.support.conversation.steps import a_new_case
from tests.support.conversation.world import World

pytestmark = pytest.mark.servers


async def test_a_mention_is_told_and_lets_the_member_in(served: World) -> None:
    dima = await served.member("Dima")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")
    assert (await served.call(stranger, "GET", case)).status == 404

    body = {"text": "Please help", "mentions": [stranger]}
    note = await served.call(dima, "POST", f"{case}/notes", body)

    assert (note.status, note.body["item"]["mentions"]) == (201, [stranger])
    assert note.body["conversation"]["case"]["participants"] == [stranger]
    assert (await served.call(stranger, "GET", case)).status == 200
    [told] = [e.body for e in await served.events(5) if isinstance(e.body, NoteAdded)]
    assert told.mentions == (stranger,)
    assert told.audience_after is not None
    assert stranger in told.audience_after.member_ids


async def test_who_does_not_answer_is_told_and_not_added(served: World) -> None:
    dima = await served.member("Dima")
    anna = await served.member("Anna", Role.ANALYST)
    away = await served.member("Away", Role.ANALYST, location_ids=(random_id("loc"),))
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")

    note = await served.call(dima, "POST", f"{case}/notes", {"text": "x", "mentions": [anna, dima]})
    assert (note.status, note.body["item"]["mentions"]) == (201, [anna, dima])
    assert "participants" not in note.body["conversation"]["case"]

    # Nobody is told of what they cannot look at.
    refused = await served.call(dima, "POST", f"{case}/notes", {"text": "x", "mentions": [away]})
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "mentions")


async def test_a_mention_that_nobody_would_hear_is_refused(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    stranger = await served.member("Stranger", location_ids=(random_id("loc"),))
    case = await a_new_case(served, dima)
    await served.call(dima, "POST", f"{case}/take")
    for body, field in (
        ({"text": "x", "mentions": ["mem_nobody"]}, "mentions"),
        ({"text": "x", "mentions": [stranger]}, "mentions"),
        ({"text": "x", "mentions": [dima] * 21}, "mentions"),
        ({"text": "x", "mentions": "all"}, "mentions"),
        ({"text": "x", "mention": []}, "mention"),
    ):
        answer = await served.call(olena, "POST", f"{case}/notes", body)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), answer
