"""How much one token and one workspace may ask of this replica; each replica counts its own."""

import math
from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from libs.runtime.limiter import Limiters, Rate
from libs.runtime.long_work import LongWork
from libs.runtime.problems import TooMany
from services.gateway.accounts.sessions import Principal
from services.gateway.localization import TEXTS

# So long may a client save up what it did not ask.
BURST_SECONDS: Final = 3
LONG_AT_ONCE: Final = 4
LONG_WAITING: Final = 12
LONG_IN_ALL: Final = 16
# Whatever reads more than a page of what is kept ready for reading.
_LONG_PARAMETERS: Final = frozenset({"q", "as_of"})
_LONG_PATHS: Final = ("/v1/metrics/", "/v1/exports", "/v1/action-log")


class QuotaUsed(TooMany):
    """Names the quota, in the fields of the IETF's draft "RateLimit header fields for HTTP"."""

    def __init__(self, told: str, of: str, rate: Rate, wait_seconds: float) -> None:
        seconds = max(1, math.ceil(wait_seconds))
        super().__init__(told, retry_after=seconds, quota=of)
        self._headers = {
            "ratelimit-policy": f'"{of}";q={rate.burst};w={BURST_SECONDS}',
            "ratelimit": f'"{of}";r=0;t={seconds}',
        }

    def response(self) -> Response:
        answer = super().response()
        answer.headers.update(self._headers)
        return answer


class Quotas:
    """Requests a second, in the long run."""

    def __init__(self, of_token: float, of_workspace: float) -> None:
        self._rates = {"token": _rate(of_token), "workspace": _rate(of_workspace)}
        self._tokens = Limiters(self._rates["token"])
        self._workspaces = Limiters(self._rates["workspace"])
        self._long = LongWork(LONG_AT_ONCE, LONG_WAITING, LONG_IN_ALL)

    def take(self, principal: Principal) -> None:
        """One request. Errors: QuotaUsed."""
        if wait := self._tokens.wait_seconds(principal.key):
            told = TEXTS.say("too-many.token")
            raise QuotaUsed(told, "token", self._rates["token"], wait)
        if wait := self._workspaces.wait_seconds(principal.workspace_id):
            told = TEXTS.say("too-many.workspace")
            raise QuotaUsed(told, "workspace", self._rates["workspace"], wait)

    def long_turn(self, workspace_id: str) -> AbstractAsyncContextManager[None]:
        """Errors: TooMany."""
        return self._long.turn(workspace_id)


def takes_long(request: Request) -> bool:
    path = request.url.path
    return (
        path.endswith("/audit")
        or path.startswith(_LONG_PATHS)
        or not _LONG_PARAMETERS.isdisjoint(request.query_params)
    )


def _rate(per_second: float) -> Rate:
    return Rate(max(1, round(per_second * BURST_SECONDS)), per_second)
