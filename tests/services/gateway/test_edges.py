"""What is at or beyond the limits of a value, asked through the gateway and all the services."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.services.gateway.test_passing_on import Office, office

pytestmark = pytest.mark.servers

__all__ = ["office"]

BEYOND = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
)


@pytest.mark.parametrize("instant", BEYOND)
async def test_an_instant_that_cannot_be_held_is_refused_wherever_it_is_said(
    office: Office, instant: str
) -> None:
    one = await office.receive("Коли ви відчинені?")
    ask, owner, me = office.ask, office.owner, office.team.owner.member_id
    row = await _there(office, one)
    customer = row["customer"]["customer_id"]
    bodies: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("/v1/conversations/{id}/assign", one, "due_at", {"member_id": me}),
        ("/v1/conversations/{id}/due", one, "due_at", {}),
        ("/v1/conversations/{id}/activities", one, "occurred_at", {"activity": "ordered"}),
        ("/v1/customers/{id}/activities", customer, "occurred_at", {"activity": "ordered"}),
        ("/v1/customers/{id}/acquisition", customer, "at", {"tool": "x"}),
        ("/v1/saved-filters", "", "filter.active_from", {"name": "A"}),
    )
    for path, thing, field, body in bodies:
        head, _, last = field.rpartition(".")
        asked = {**body, **({head: {last: instant}} if head else {last: instant})}
        answer = await ask(owner, "POST", path, thing, asked)
        assert answer.status == 422, (path, answer)
        assert answer.body["errors"][0]["field"] == field, answer.body
    today = quote(datetime.now(UTC).isoformat())
    at = quote(instant)
    queries = [
        *(f"/v1/conversations?{name}={at}" for name in ("active_from", "active_to")),
        *(f"/v1/conversations?{name}={at}" for name in ("opened_from", "opened_to")),
        f"/v1/conversations/{one}?as_of={at}",
        f"/v1/conversations/{one}/timeline?as_of={at}",
        f"/v1/metrics/summary?from={at}&to={today}",
        f"/v1/metrics/summary?from={today}&to={at}",
        f"/v1/metrics/performance?by=member&from={at}&to={today}",
    ]
    for path in queries:
        answer = await owner("GET", path)
        assert answer.status == 422, (path, answer)
    # Nothing of it was kept: the conversation goes on.
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    kept = await ask(
        owner, "POST", "/v1/conversations/{id}/assign", one, {"member_id": me, "due_at": later}
    )
    assert kept.status == 200, kept


async def _there(office: Office, conversation_id: str) -> Any:
    for _ in range(400):
        answer = await office.owner("GET", f"/v1/conversations/{conversation_id}")
        if answer.status == 200:
            return answer.body
    raise AssertionError("the conversation never came")
