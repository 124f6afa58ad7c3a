"""What the conversation service is told."""

from pydantic import Field, Json, SecretStr

from libs.runtime.settings import (
    PORT,
    DeploymentSettings,
    MongoSettings,
    ServiceSettings,
    SigningKey,
)


class ConversationSettings(ServiceSettings, DeploymentSettings, MongoSettings):
    conversation_signing_key: SigningKey = Field(description="conversation signs its calls with it")
    conversation_port: int = Field(8102, ge=0, le=65_535, description=PORT)
    conversation_routing_timeout_seconds: float = Field(
        5, gt=0, description="a case that waited longer for routing is shown in New"
    )
    conversation_sweep_interval_seconds: float = Field(
        1, gt=0, description="how often commits left unpublished are looked for"
    )
    conversation_settle_seconds: float = Field(
        5, ge=0, description="a commit unpublished for longer was left by a process that stopped"
    )
    conversation_erasure_check_seconds: float = Field(
        60, gt=0, description="how often it is looked at again whether a person stays forgotten"
    )
    conversation_cache_size: int = Field(
        20_000, ge=0, description="conversations whose state is kept in memory, about 2 KB each"
    )
    conversation_anchor_url: str = Field(
        description="where anchors are kept, not in MongoDB: file:///a/folder or s3://a-bucket/a"
    )
    conversation_anchor_options: Json[dict[str, SecretStr]] = Field(
        "{}",  # type: ignore[arg-type]  # pydantic parses a default as it parses what is given
        description="JSON object: region, endpoint, keys of the anchors' storage",
    )
    conversation_anchor_interval_seconds: float = Field(
        60, gt=0, description="how long what was stored waits for its anchor"
    )
