"""What routing is told by its environment (``PARLEY_ROUTING_…``)."""

from pydantic import Field

from libs.runtime.settings import MongoSettings


class RoutingSettings(MongoSettings):
    routing_port: int = Field(8103, ge=0, le=65535)
    routing_sweep_seconds: float = Field(
        2, gt=0, description="how often stored but unpublished changes are looked for"
    )
