"""A member who calls conversation as the gateway does."""

import json
from typing import Any, Final

from aiohttp import ClientSession

from libs.events.actions import Action
from tests.support.eventually import eventually
from tests.support.trust import tokens_of

MAY: Final = (Action.READ, Action.TAKE, Action.ANSWER, Action.NOTE, Action.CLOSE)
WAIT_SECONDS: Final = 20


class Team:
    """``member_id`` is an owner of the workspace."""

    def __init__(self, http: ClientSession, url: str, workspace_id: str, member_id: str) -> None:
        self._http, self._url = http, url
        self._workspace_id, self.member_id = workspace_id, member_id
        self._tokens = tokens_of("gateway")

    async def call(self, method: str, path: str, body: object = None) -> Any:
        status, answer = await self._ask(method, path, body)
        assert status < 300, answer
        return answer

    async def newest(self) -> str:
        """The conversation of the New tab, as soon as there is one."""
        page = await eventually(lambda: self.call("GET", "?tab=new"), lambda page: page["items"])
        return str(page["items"][0]["conversation_id"])

    async def has(self, conversation_id: str, *message_ids: str) -> None:
        """As soon as these messages are in the conversation's timeline."""

        async def shown() -> bool:
            status, page = await self._ask("GET", f"/{conversation_id}/timeline")
            return status == 200 and {*message_ids} <= {item["id"] for item in page["items"]}

        await eventually(shown)

    async def take(self, conversation_id: str) -> None:
        await self.call("POST", f"/{conversation_id}/take")

    async def answer(self, conversation_id: str, text: str, **content: object) -> str:
        """The id of the message."""
        body = {"content": {"text": text, **content}}
        sent = await self.call("POST", f"/{conversation_id}/messages", body)
        return str(sent["item"]["id"])

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        token = self._tokens.issue("conversation", self._workspace_id, self.member_id, MAY)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body)
        path = f"{self._url}/v1/conversations{path}"
        async with self._http.request(method, path, data=data, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)
