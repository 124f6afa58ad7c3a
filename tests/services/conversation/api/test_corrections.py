"""Edit and delete over HTTP: what the team sees, what the customer sees, what ingest is asked."""

from datetime import UTC, datetime
from functools import partial

import pytest

from libs.events.directory import Role
from libs.events.inbound import CorrectionFailed
from libs.events.outbound import OutboundDeleteRequested, OutboundEditRequested
from tests.support.conversation.steps import a_sent_message, of_customer, shown
from tests.support.conversation.world import MANAGER, World
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


async def test_a_message_is_edited_and_then_taken_back(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"

    edited = await served.call(dima, "PATCH", path, {"text": "Hello"}, key="edit-1")
    again = await served.call(dima, "PATCH", path, {"text": "Hello"}, key="edit-1")
    assert (edited.status, edited.body["last_message"]["preview"]) == (200, "Hello")
    assert again.raw == edited.raw
    message = await shown(served, dima, conversation_id, message_id)
    assert message["content"]["text"] == "Hello"
    assert message["edited_at"]

    deleted = await served.call(dima, "DELETE", path)
    assert deleted.status == 200
    assert deleted.body["last_message"].get("preview", "") == ""
    message = await shown(served, dima, conversation_id, message_id)
    assert (message["content"]["text"], message["deleted_by"]) == ("Hello", dima)
    refused = await served.call(dima, "DELETE", path)
    assert (refused.status, refused.body["type"]) == (409, "urn:parley:problem:message-deleted")

    timeline = await served.timeline(dima, conversation_id)
    keys = [item["key"] for item in timeline["items"] if item["kind"] == "system"]
    assert keys[:2] == ["message-deleted", "message-edited"]
    requests = [one.body for one in await served.events(3, "parley.outbound")]
    [edit] = [one for one in requests if isinstance(one, OutboundEditRequested)]
    [deletion] = [one for one in requests if isinstance(one, OutboundDeleteRequested)]
    assert (edit.content.text, edit.external_message_ids) == ("Hello", ("77",))
    assert (deletion.message_id, deletion.external_message_ids) == (message_id, ("77",))


async def test_the_customer_does_not_see_what_was_taken_back(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"
    assert message_id in await of_customer(served, conversation_id)
    await served.call(dima, "DELETE", path)
    assert message_id not in await of_customer(served, conversation_id)


async def test_a_refusal_says_whose_it_is_or_what_the_channel_allows(served: World) -> None:
    dima, olena = await served.member("Dima"), await served.member("Olena")
    owner = await served.member("Owner", Role.OWNER)
    conversation_id, message_id = await a_sent_message(served, dima)
    base = f"/v1/conversations/{conversation_id}/messages"
    text = {"text": "Hello"}

    other = await served.call(olena, "PATCH", f"{base}/{message_id}", text)
    assert (other.status, other.body["member_id"]) == (409, dima)
    assert other.body["detail"] == "Dima wrote this message"
    customers = served.inbound("1", 1).message_id
    theirs = await served.call(dima, "DELETE", f"{base}/{customers}")
    assert (theirs.status, theirs.body["type"]) == (409, "urn:parley:problem:not-sent-from-here")
    assert (await served.call(dima, "DELETE", f"{base}/msg_nowhere")).status == 404
    for body, field in (
        ({"text": " "}, "text"),
        ({"text": "x" * 4097}, "text"),
        ({"text": "x", "bold": True}, "bold"),
        ({}, "text"),
    ):
        answer = await served.call(dima, "PATCH", f"{base}/{message_id}", body)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
    unsent = await served.call(dima, "POST", base, {"content": {"text": "to be sent"}})
    queued = await served.call(dima, "DELETE", f"{base}/{unsent.body['item']['id']}")
    assert (queued.status, queued.body["type"]) == (409, "urn:parley:problem:message-not-sent")
    managed = await served.call(owner, "PATCH", f"{base}/{message_id}", text, actions=MANAGER)
    assert managed.status == 200


async def test_what_the_channel_did_not_delete_is_there_again(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"
    await served.call(dima, "DELETE", path)
    failed = CorrectionFailed(
        request_id="delete-1",
        message_id=message_id,
        conversation_id=conversation_id,
        source_id=served.source_id,
        correction="delete",
        occurred_at=datetime.now(UTC),
        reason="message can't be deleted",
        reason_code="telegram-400",
    )
    await served.publish(failed, conversation_id)
    await served.publish(failed, conversation_id)

    async def is_there_again() -> bool:
        message = await shown(served, dima, conversation_id, message_id)
        return "deleted_at" not in message

    await eventually(is_there_again)
    assert message_id in await of_customer(served, conversation_id)
    items = (await served.timeline(dima, conversation_id))["items"]
    traces = [item["text"] for item in items if item.get("key") == "correction-failed"]
    assert traces == ["The channel did not delete a message: message can't be deleted"]
    # What was tried is told as that, and what is done as done.
    assert (await served.call(dima, "DELETE", path)).status == 200
    items = (await served.timeline(dima, conversation_id))["items"]
    deletions = [item["text"] for item in items if item.get("key") == "message-deleted"]
    assert deletions == ["Dima deletes a message", "Dima tries to delete a message"]


def refusal(world: World, conversation_id: str, message_id: str, asked: str) -> CorrectionFailed:
    """The channel refuses the correction that was ``asked``: ``edit.7``, ``delete.8``."""
    return CorrectionFailed(
        request_id=f"{message_id}.{asked}",
        message_id=message_id,
        conversation_id=conversation_id,
        source_id=world.source_id,
        correction="edit" if asked.startswith("edit") else "delete",
        occurred_at=datetime.now(UTC),
        reason="message can't be edited",
        reason_code="telegram-400",
    )


async def found(world: World, member_id: str, word: str) -> int:
    answer = await world.call(member_id, "GET", "/v1/conversations", query={"q": word})
    return len(answer.body["items"])


async def test_a_refused_edit_shows_what_the_customer_has_and_what_was_attempted(
    served: World,
) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"

    first = await served.call(dima, "PATCH", path, {"text": "Pumpkin"})
    asked = f"edit.{first.body['version']}"
    await eventually(lambda: _finds(served, dima, "pumpkin"))
    await served.publish(refusal(served, conversation_id, message_id, asked), conversation_id)
    await served.publish(refusal(served, conversation_id, message_id, asked), conversation_id)

    async def is_told() -> bool:
        return "failed_correction" in await shown(served, dima, conversation_id, message_id)

    await eventually(is_told)
    message = await shown(served, dima, conversation_id, message_id)
    assert message["content"]["text"] == "Helo"
    assert "edited_at" not in message
    failed = message["failed_correction"]
    assert failed["correction"] == "edit"
    assert failed["reason"] == "message can't be edited"
    assert failed["content"]["text"] == "Pumpkin"
    view = await served.seen(dima, conversation_id)
    assert view["last_message"]["preview"] == "Helo"
    items = (await served.timeline(dima, conversation_id))["items"]
    assert sum(item.get("key") == "correction-failed" for item in items) == 1

    # It is looked for by what the customer has.
    await eventually(lambda: _finds(served, dima, "helo"))
    assert await found(served, dima, "pumpkin") == 0

    # To say it once more is no repetition: it is asked of the channel again.
    again = await served.call(dima, "PATCH", path, {"text": "Pumpkin"})
    assert again.body["version"] > view["version"]
    message = await shown(served, dima, conversation_id, message_id)
    assert message["content"]["text"] == "Pumpkin"
    assert "failed_correction" not in message


async def _finds(world: World, member_id: str, word: str) -> bool:
    return await found(world, member_id, word) == 1


async def test_of_several_edits_those_that_the_channel_took_stay(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"
    versions = []
    for text in ("one", "two", "three"):
        edited = await served.call(dima, "PATCH", path, {"text": text})
        versions.append(edited.body["version"])

    async def says(text: str, attempted: str) -> bool:
        message = await shown(served, dima, conversation_id, message_id)
        failed = message.get("failed_correction", {}).get("content", {}).get("text")
        return (message["content"]["text"], failed) == (text, attempted)

    # The newest is still under way, or was taken: what an earlier one was to say is past.
    for version, left, attempted in (
        (versions[0], "three", "one"),
        (versions[2], "two", "three"),
        (versions[1], "Helo", "two"),
    ):
        refused = refusal(served, conversation_id, message_id, f"edit.{version}")
        await served.publish(refused, conversation_id)
        await eventually(partial(says, left, attempted))

    # A deletion that failed leaves the message as it is, and to be found.
    deleted = await served.call(dima, "DELETE", path)
    refused = refusal(served, conversation_id, message_id, f"delete.{deleted.body['version']}")
    await served.publish(refused, conversation_id)

    async def is_there_again() -> bool:
        message = await shown(served, dima, conversation_id, message_id)
        there = "deleted_at" not in message and message["content"]["text"] == "Helo"
        return there and bool(message["failed_correction"]["correction"] == "delete")

    await eventually(is_there_again)
    await eventually(lambda: _finds(served, dima, "helo"))
    assert (await served.seen(dima, conversation_id))["last_message"]["preview"] == "Helo"


async def test_what_was_attempted_is_forgotten_with_the_customer(served: World) -> None:
    dima = await served.member("Dima")
    conversation_id, message_id = await a_sent_message(served, dima)
    path = f"/v1/conversations/{conversation_id}/messages/{message_id}"
    edited = await served.call(dima, "PATCH", path, {"text": "Pumpkin"})
    asked = f"edit.{edited.body['version']}"
    await served.publish(refusal(served, conversation_id, message_id, asked), conversation_id)

    async def is_told() -> bool:
        return "failed_correction" in await shown(served, dima, conversation_id, message_id)

    await eventually(is_told)
    before = datetime.now(UTC).isoformat()
    customer_id = edited.body["customer"]["customer_id"]
    erased = await served.call(dima, "POST", f"/v1/customers/{customer_id}/erase", actions=MANAGER)
    assert erased.status == 200

    message = await shown(served, dima, conversation_id, message_id)
    assert message["content"] == {"erased": True}
    assert "content" not in message["failed_correction"]
    then = await served.timeline(dima, conversation_id, as_of=before)
    assert "Pumpkin" not in str(then)
    assert "Helo" not in str(then)
