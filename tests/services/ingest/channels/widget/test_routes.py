"""A visitor's session, their messages and their history, over HTTP and real Kafka."""

import dataclasses
import hashlib
import hmac
import json
import uuid

import msgspec
import pytest

from libs.events.content import Attachment, Channel, Content
from libs.events.inbound import InboundReceived
from libs.events.topics import Topic
from libs.runtime.limiter import Rate
from services.ingest.channels.widget.routes import WidgetLimits
from tests.support.ingest.widget.site import ORIGIN, Site
from tests.support.ingest.widget.stack import Stack
from tests.support.kafka import read_events

pytestmark = pytest.mark.servers


async def inbound(stack: Stack, site: Site, count: int) -> list[InboundReceived]:
    """The messages of the site's source on Kafka, once there are ``count``."""
    topic = stack.namespace + Topic.INBOUND.value
    wanted = count
    while True:
        events = await read_events(stack.bootstrap, topic, wanted)
        bodies = [event.body for event in events if isinstance(event.body, InboundReceived)]
        own = [body for body in bodies if body.source_id == site.source_id]
        if len(own) >= count:
            return own
        wanted = len(events) + 1


async def test_a_message_is_on_kafka_before_it_is_acknowledged(stack: Stack, site: Site) -> None:
    _, session = await site.session(name="Ann", email="ann@example.com", language="uk")
    client_id = str(uuid.uuid4())

    status, answer = await site.send(session["token"], "Добрий день", client_id)

    assert status == 202
    [received] = await inbound(stack, site, 1)
    visitor_id = session["visitor_id"]
    assert received.message_id == answer["message_id"]
    assert received.external_message_id == client_id
    assert received.thread == visitor_id
    assert received.conversation_id == site.conversation_of(visitor_id)
    assert received.channel is Channel.WIDGET
    assert received.direction == "incoming"
    assert received.content == Content(text="Добрий день")
    assert received.occurred_at == received.received_at
    sender = received.sender
    assert (sender.external_id, sender.name, sender.username, sender.language) == (
        visitor_id,
        "Ann",
        "ann@example.com",
        "uk",
    )


async def test_the_same_message_again_has_the_same_ids(stack: Stack, site: Site) -> None:
    visitor = await site.visitor()
    client_id = str(uuid.uuid4())

    first = await site.send(visitor["token"], "Hello", client_id)
    second = await site.send(visitor["token"], "Hello", client_id.upper())

    assert first == second
    received = await inbound(stack, site, 2)
    assert len({(one.cause, one.message_id) for one in received}) == 1


async def test_visitors_cannot_take_each_others_ids(stack: Stack, site: Site) -> None:
    ann, bob = await site.visitor(), await site.visitor()
    client_id = str(uuid.uuid4())
    for visitor in (ann, bob):
        assert (await site.send(visitor["token"], "Hello", client_id))[0] == 202
    received = await inbound(stack, site, 2)
    assert len({one.cause for one in received}) == 2
    assert len({one.message_id for one in received}) == 2


async def test_sessions_are_only_for_pages_of_the_sources_origins(site: Site) -> None:
    for origin in (
        None,
        "null",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
    ):
        status, problem = await site.session(origin)
        assert status == 403, origin
        assert problem["type"] == "urn:parley:problem:forbidden"
    visitor = await site.visitor()
    status, _ = await site.send(visitor["token"], origin="https://evil.example")
    assert status == 403


async def test_cross_origin_headers_name_the_allowed_origin_and_no_other(site: Site) -> None:
    path = f"{site.url}/hooks/widget/{site.source_id}"
    asked = {"access-control-request-method": "POST"}

    async with site.http.options(path, headers={"origin": ORIGIN, **asked}) as answer:
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["access-control-allow-methods"] == "POST"
        assert "authorization" in answer.headers["access-control-allow-headers"]
        assert "origin" in answer.headers["vary"]
    async with site.http.options(path, headers={"origin": "https://evil.example"}) as answer:
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
    # A refusal too can be read by the page that is allowed to ask.
    async with site.http.post(path, headers={"origin": ORIGIN}) as answer:
        assert answer.status == 401
        assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_a_session_is_renewed_for_the_same_visitor(site: Site) -> None:
    _, first = await site.session(name="Ann")
    _, renewed = await site.session(token=first["token"])
    assert renewed["visitor_id"] == first["visitor_id"]
    assert (await site.visitor())["visitor_id"] != first["visitor_id"]
    _, begun = await site.session(token=first["token"] + "x")
    assert begun["visitor_id"] != first["visitor_id"], "a token that does not hold begins anew"


async def test_messages_need_a_token_of_this_source(stack: Stack, site: Site) -> None:
    other = await (await stack.site()).visitor()
    visitor = await site.visitor()
    for token in (None, "forged", other["token"], visitor["token"][:-2]):
        status, _ = await site.send(token)
        assert status == 401
    assert (await site.messages(other["token"]))[0] == 401
    async with stack.http.get(f"{stack.url}/metrics") as answer:
        counted = await answer.text()
    for reason in ("unsigned", "forged"):
        assert f'parley_ingest_refused_total{{channel="widget",reason="{reason}"}}' in counted


async def test_an_unknown_or_disconnected_source_is_not_there(stack: Stack) -> None:
    disconnected = await stack.site(connected=False)
    async with stack.http.post(f"{stack.url}/widget/src_unknown/session") as answer:
        assert answer.status == 404
    assert (await disconnected.session())[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"message_id": "7", "text": "Hello"}',
        json.dumps({"message_id": str(uuid.UUID(int=1)), "text": ""}).encode(),
        json.dumps({"message_id": str(uuid.UUID(int=1)), "text": " \n"}).encode(),
        json.dumps({"message_id": str(uuid.UUID(int=1)), "text": "x" * 4_001}).encode(),
        b'{"message_id": "00000000-0000-0000-0000-000000000001", "text": "\xff"}',
    ],
)
async def test_a_malformed_message_is_refused(site: Site, body: bytes) -> None:
    visitor = await site.visitor()
    status, problem = await site.send(visitor["token"], raw=body)
    assert status == 422
    assert problem["type"] == "urn:parley:problem:invalid"


async def test_four_thousand_characters_fit_and_64_kib_do_not(site: Site) -> None:
    visitor = await site.visitor()
    assert (await site.send(visitor["token"], "🙂" * 4_000))[0] == 202
    assert (await site.send(visitor["token"], raw=b" " * (64 * 1024 + 1)))[0] == 413


async def test_a_user_of_the_site_is_the_same_visitor_on_every_device(stack: Stack) -> None:
    site = await stack.site(identity_secret="the site's secret")
    digest = hmac.new(b"the site's secret", b"user-7", hashlib.sha256).hexdigest()
    identity = {"user_id": "user-7", "hash": digest, "name": "Ann"}

    _, anonymous = await site.session()
    status, phone = await site.session(identity=identity)
    _, laptop = await site.session(identity=identity, token=anonymous["token"])

    assert status == 200
    assert phone["visitor_id"] == laptop["visitor_id"] != anonymous["visitor_id"]
    for forged in ({**identity, "user_id": "user-8"}, {**identity, "hash": "0" * 64}):
        assert (await site.session(identity=forged))[0] == 403


async def test_a_source_without_a_secret_vouches_for_nobody(site: Site) -> None:
    digest = hmac.new(b"", b"user-7", hashlib.sha256).hexdigest()
    status, _ = await site.session(identity={"user_id": "user-7", "hash": digest})
    assert status == 403


async def test_the_history_is_the_visitors_own(site: Site) -> None:
    ann, bob = await site.visitor(), await site.visitor()
    conversation_id = await site.heard(ann["token"])
    assert conversation_id == site.conversation_of(ann["visitor_id"])
    await site.team.call("POST", f"/{conversation_id}/notes", {"text": "Between us"})
    await site.team.answer(conversation_id, "For Ann")
    photo = Attachment(
        attachment_id="att_1", kind="image", media_type="image/png", reference="a handle of ours"
    )
    attached = [msgspec.to_builtins(photo)]
    await site.team.answer(conversation_id, "", attachments=attached)

    status, page = await site.messages(ann["token"])
    assert status == 200
    hello, answer, picture = page["items"]
    assert [one["direction"] for one in page["items"]] == ["incoming", "outgoing", "outgoing"]
    assert hello["position"] < answer["position"] < picture["position"]
    assert answer["content"]["text"] == "For Ann"
    assert picture["content"]["attachments"][0]["attachment_id"] == "att_1"
    for ours in (site.team.member_id, "a handle of ours", "Between us"):
        assert ours not in json.dumps(page)
    _, rest = await site.messages(ann["token"], after=str(answer["position"]))
    assert rest["items"] == [picture]
    assert await site.messages(bob["token"]) == (200, {"items": []})


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "²", "9" * 16])
async def test_a_position_is_a_number(site: Site, after: str) -> None:
    visitor = await site.visitor()
    assert (await site.messages(visitor["token"], after))[0] == 422


async def test_sessions_are_limited_by_address_and_messages_by_visitor(stack: Stack) -> None:
    limits = WidgetLimits(sessions=Rate(3, 0.001), messages=Rate(2, 0.001))
    async with stack.another(limits=limits) as url:
        site = await stack.site(url=url)
        ann, bob = await site.visitor(), await site.visitor()
        assert (await site.send(ann["token"]))[0] == 202
        assert (await site.send(ann["token"]))[0] == 202
        status, problem = await site.send(ann["token"])
        assert status == 429
        assert problem["type"] == "urn:parley:problem:too-many-requests"
        assert (await site.send(bob["token"]))[0] == 202
        assert (await site.session())[0] == 200
        assert (await site.session())[0] == 429


async def test_messages_are_limited_by_address_and_by_source_too(stack: Stack) -> None:
    """Many visitors of one address are one address, and what stops one source stops no other."""
    limits = WidgetLimits(messages_of_an_address=Rate(5, 0.1), messages_of_a_source=Rate(3, 0.001))
    async with stack.another(limits=limits) as url:
        one, other = await stack.site(url=url), await stack.site(url=url)
        statuses = [
            (await site.send((await site.visitor())["token"]))[0]
            for site in (one, one, one, one, other, other, other)
        ]
        assert statuses == [202, 202, 202, 429, 202, 202, 429]


async def test_whatever_is_asked_is_limited_by_address(stack: Stack) -> None:
    async with stack.another(limits=WidgetLimits(of_an_address=Rate(6, 0.1))) as url:
        # The site looks for itself once.
        site = await stack.site(url=url)
        visitor = await site.visitor()
        statuses = [(await site.messages(visitor["token"]))[0] for _ in range(6)]
        assert (statuses[0], statuses[-1]) == (200, 429)


async def test_a_replica_that_has_not_caught_up_says_so(stack: Stack, site: Site) -> None:
    async with stack.another(follows_directory=False) as url:
        behind = dataclasses.replace(site, url=url)
        assert (await behind.session())[0] == 503


async def test_what_kafka_does_not_acknowledge_is_not_accepted(stack: Stack) -> None:
    async with stack.another(publishes_to="nowhere.") as url:
        site = await stack.site(url=url)
        visitor = await site.visitor()
        status, problem = await site.send(visitor["token"])
        assert status == 503
        assert problem["type"] == "urn:parley:problem:unavailable"
