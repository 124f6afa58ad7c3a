"""The first workspace with its owner."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import msgspec
from pydantic import Field

from libs.runtime.http import ServiceClient
from libs.runtime.settings import Settings, SigningKey, key_bytes
from libs.runtime.tokens import ServiceTokens


class BootstrapSettings(Settings):
    cli_signing_key: SigningKey = Field(description="`parley bootstrap` signs its call with it")


class BootstrapFailed(Exception):
    """The gateway refused, or does not answer."""


@dataclass(frozen=True, slots=True)
class FirstWorkspace:
    """``password`` is None where the workspace was there already."""

    workspace_id: str
    email: str
    password: str | None

    def told(self) -> str:
        if self.password is None:
            return f"the workspace is there already ({self.workspace_id}, owner {self.email})"
        return (
            f"workspace {self.workspace_id}\n"
            f"owner     {self.email}\n"
            f"password  {self.password}   (shown this once)"
        )


async def bootstrap_workspace(
    settings: BootstrapSettings, gateway_url: str, workspace: Mapping[str, str]
) -> FirstWorkspace:
    """``workspace``: name, owner_name, owner_email, language, time_zone.

    Errors: BootstrapFailed.
    """
    tokens = ServiceTokens("cli", key_bytes(settings.cli_signing_key))
    body = {"location_name": workspace["name"], **workspace}
    async with ServiceClient("gateway", gateway_url, tokens) as gateway:
        try:
            status, answer, _headers = await gateway.call(
                "POST",
                "/internal/v1/workspaces",
                workspace_id="",
                body=msgspec.json.encode(body),
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BootstrapFailed(f"the gateway does not answer: {error}") from error
    if status >= 300:
        problem = msgspec.json.decode(answer)
        raise BootstrapFailed(f"{problem['title']}: {problem.get('detail', '')}")
    made = msgspec.json.decode(answer)
    return FirstWorkspace(made["workspace_id"], made["email"], made.get("password"))
