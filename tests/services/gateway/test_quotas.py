"""How much a token and a workspace may ask: beyond it they wait, and nobody else does."""

import pytest
from starlette.requests import Request

from libs.events.directory import Role
from libs.runtime.process import running
from libs.runtime.settings import load
from services.gateway.app import SERVICE
from services.gateway.quotas import takes_long
from services.gateway.settings import GatewaySettings
from tests.support.gateway.suite import Api, Suite, Team, new_team


@pytest.mark.servers
async def test_who_asks_too_much_is_told_when_to_come_again(suite: Suite, team: Team) -> None:
    quotas = {
        "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_TOKEN": "2",
        "PARLEY_GATEWAY_REQUESTS_PER_SECOND_OF_WORKSPACE": "3",
    }
    other = await new_team(suite, Api(suite.http, suite.url))
    colleague = await team.add(Role.OPERATOR)
    async with running(SERVICE, load(GatewaySettings, suite.environment | quotas)) as (url, _):
        mine, theirs, others = (
            Api(suite.http, url, one.api.token) for one in (team.owner, colleague, other.owner)
        )
        while (await mine("GET", "/v1/me")).status == 503:
            pass
        answers = [await mine("GET", "/v1/me") for _ in range(40)]
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert refused[0].headers["retry-after"] == "1"
        assert refused[0].headers["ratelimit-policy"] == '"token";q=6;w=3'
        assert refused[0].headers["ratelimit"] == '"token";r=0;t=1'
        assert refused[0].body["type"] == "urn:parley:problem:too-many-requests"
        assert refused[0].body["quota"] == "token"

        # The workspace has one for all its tokens; another workspace has its own.
        told = [await theirs("GET", "/v1/me") for _ in range(40)]
        assert {answer.body["quota"] for answer in told if answer.status == 429} >= {"token"}
        assert (await others("GET", "/v1/me")).status == 200


@pytest.mark.parametrize(
    ("target", "long"),
    [
        ("/v1/conversations?tab=new", False),
        ("/v1/conversations/cnv_1", False),
        ("/v1/conversations/cnv_1/timeline?limit=5", False),
        ("/v1/conversations?q=shoes", True),
        ("/v1/conversations/cnv_1?as_of=2026-01-01T00:00:00Z", True),
        ("/v1/conversations/cnv_1/timeline?as_of=2026-01-01T00:00:00Z", True),
        ("/v1/conversations/cnv_1/audit", True),
        ("/v1/metrics/summary?from=a&to=b", True),
    ],
)
def test_what_takes_long(target: str, long: bool) -> None:
    path, _, query = target.partition("?")
    scope = {"type": "http", "path": path, "query_string": query.encode(), "headers": []}
    scope |= {"server": ("a", 80), "scheme": "http", "root_path": ""}
    assert takes_long(Request(scope)) is long
