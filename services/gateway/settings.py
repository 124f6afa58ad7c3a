"""What the gateway is told."""

from pathlib import Path
from typing import Final

from pydantic import Field

from libs.runtime.settings import MongoSettings, ServiceSettings, SigningKey

MEGABYTE: Final = 1_000_000
_URL: Final = "^https?://"


class GatewaySettings(ServiceSettings, MongoSettings):
    gateway_signing_key: SigningKey = Field(description="the gateway signs its calls with it")
    gateway_port: int = Field(
        8100, ge=0, le=65535, description="the API, live updates and the console's files"
    )
    gateway_operations_port: int = Field(
        8110, ge=0, le=65535, description="/metrics and the details of /readyz, for operators"
    )
    gateway_public_url: str = Field(pattern=_URL, description="where clients reach the gateway")
    gateway_ingest_public_url: str = Field(
        pattern=_URL, description="where platforms and pages with the widget reach ingest"
    )
    gateway_conversation_url: str = Field(
        pattern=_URL, description="where conversation answers the services"
    )
    gateway_routing_url: str = Field(pattern=_URL, description="where routing answers the services")
    gateway_ingest_url: str = Field(pattern=_URL, description="where ingest answers the services")
    gateway_notify_url: str = Field(pattern=_URL, description="where notify answers the services")
    gateway_analytics_url: str = Field(
        pattern=_URL, description="where analytics answers the services"
    )
    gateway_allowed_origins: str = Field(
        "", description="origins of pages that may call the API, comma separated; none by default"
    )
    gateway_console_folder: Path | None = Field(
        None, description="where the built console is; without it there is the API alone"
    )
    gateway_session_hours: float = Field(24 * 14, gt=0, description="a sign-in lasts this long")
    gateway_attachment_max_bytes: int = Field(
        100 * MEGABYTE, gt=0, description="a larger upload is refused"
    )
    gateway_requests_per_second_of_token: float = Field(
        100, gt=0, description="in the long run, of this replica; three seconds' worth at once"
    )
    gateway_requests_per_second_of_workspace: float = Field(
        1000, gt=0, description="likewise, of all its members together"
    )
    gateway_directory_wait_seconds: float = Field(
        10, gt=0, description="how long the maker of a directory's change waits to see it"
    )

    @property
    def allowed_origins(self) -> list[str]:
        return [o.strip() for o in self.gateway_allowed_origins.split(",") if o.strip()]
