"""What routing is told by its environment (``PARLEY_ROUTING_…``)."""

from pydantic import Field

from libs.runtime.settings import (
    PORT,
    DeploymentSettings,
    MongoSettings,
    ServiceSettings,
    SigningKey,
)


class RoutingSettings(ServiceSettings, DeploymentSettings, MongoSettings):
    routing_signing_key: SigningKey = Field(description="routing signs its calls with it")
    routing_port: int = Field(8103, ge=0, le=65535, description=PORT)
    routing_sweep_seconds: float = Field(
        2, gt=0, description="how often stored but unpublished changes are looked for"
    )
