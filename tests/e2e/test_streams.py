"""What the services declare that they read and write, they read and write when they run."""

import itertools
from functools import partial
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3

from parley.asyncapi import streams
from parley.suite import Suite
from tests.support.e2e.team import Company, person
from tests.support.eventually import eventually
from tests.support.kafka import read_records

pytestmark = pytest.mark.servers

type Groups = dict[str, set[str]]


async def test_each_declared_subscription_is_subscribed(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    # aiokafka 0.14 reads the third version's answer as the second's.
    monkeypatch.setattr(DescribeGroupsRequest_v3, "RESPONSE_TYPE", DescribeGroupsResponse_v3)
    prefix = suite.settings["PARLEY_KAFKA_NAMESPACE"]
    declared = {
        prefix + one.group: {prefix + topic for topic in one.topics}
        for of_service in streams().values()
        for one in of_service.subscriptions
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=suite.settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        # A group that nobody declared is seen as well; one that rebalances has no topics yet.
        assert await eventually(lambda: _groups(admin, prefix), lambda found: found == declared)
    finally:
        await admin.close()


async def _groups(admin: AIOKafkaAdminClient, prefix: str) -> Groups:
    """What each group's members have been assigned."""
    names = [name for name, _ in await admin.list_consumer_groups() if name.startswith(prefix)]
    found: Groups = {}
    for answer in await admin.describe_consumer_groups(names):
        for _error, name, _state, _type, _protocol, members, *_ in answer.groups:
            assigned = (
                ConsumerProtocolMemberAssignment.decode(member[4]).assignment
                for member in members
                if member[4]
            )
            found[name] = {topic for topic, _ in itertools.chain.from_iterable(assigned)}
    return found


async def test_each_declared_publication_is_published(suite: Suite, company: Company) -> None:
    # given all that a case goes through: routed, given to a member, answered
    bot, source = await company.connect_telegram()
    client, member_id = await company.hire("Dima")
    group = await company.owner.post("/v1/groups", name="Sales", member_ids=[member_id])
    await company.owner.post(
        "/v1/autoforwards", source_ids=[source["source_id"]], group_id=group["group_id"]
    )
    await company.writes(bot, person("Olena"), "Hello")
    row = await company.case_of("Olena", client=client)
    path = f"/v1/conversations/{row['conversation_id']}"
    await company.owner.post(f"{path}/assign", member_id=member_id)
    await client.post(f"{path}/messages", text="Good day")
    customer = f"/v1/customers/{row['customer']['customer_id']}"
    await company.owner.call("PATCH", customer, body={"name": "Olena P."})

    # then each service has written on each topic that it declares
    for service, of_service in streams().items():
        for publication in of_service.publications:
            await read_records(
                suite.settings["PARLEY_KAFKA_BOOTSTRAP_SERVERS"],
                suite.settings["PARLEY_KAFKA_NAMESPACE"] + publication.topic,
                partial(_are_of, service),
            )


def _are_of(service: str, records: list[Any]) -> bool:
    """Whether any of the records says that it is of the service."""
    # Other tests write what nobody understands to the same topics.
    sources = [dict(record.headers).get("ce_source", b"").decode() for record in records]
    return service in [source.rpartition("/")[2] for source in sources]
