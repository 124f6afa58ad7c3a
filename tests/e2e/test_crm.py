"""A case is sent to the workspace's CRM: the whole path, through public interfaces."""

from typing import Any

import pytest

from tests.support.e2e.team import Company, person
from tests.support.eventually import eventually
from tests.support.notify.crm_server import crm_server

pytestmark = pytest.mark.servers


async def test_a_case_sent_to_the_crm_and_done(company: Company) -> None:
    async with crm_server() as crm:
        # Given a webhook, whose secret is shown once, and a case that was taken
        webhook = await company.owner.call("PATCH", "/v1/crm-webhook", body={"url": crm.url})
        assert await company.owner.get("/v1/crm-webhook") == {"url": crm.url}
        bot, source = await company.connect_telegram()
        olena = person()
        await company.writes(bot, olena, "I would like two of them")
        row = await company.case_of("Olena")
        path = f"/v1/conversations/{row['conversation_id']}"
        await company.owner.post(f"{path}/take")

        # When it is sent to the CRM, and Done
        done = await company.owner.post(f"{path}/send-to-crm", close=True)
        assert done["case"]["state"] == "done"

        # Then the CRM has it, signed, with ids by which it asks for more, and no words
        async def posted() -> Any:
            return crm.posted

        [post] = await eventually(posted)
        assert post.is_signed_with(webhook["secret"])
        told = post.event["data"]
        assert told["conversation_id"] == row["conversation_id"]
        assert (told["case_id"], told["number"]) == (
            row["case"]["case_id"],
            row["case"]["short_number"],
        )
        assert told["sent_by"]["member_id"] == company.me["member"]["member_id"]
        assert told["source_id"] == source["source_id"]
        assert told["url"].endswith(f"/conversations/{row['conversation_id']}")
        assert "two of them" not in post.body.decode()
        customer = await company.owner.get(f"/v1/customers/{told['customer_id']}")
        assert "Olena" in str(customer)
