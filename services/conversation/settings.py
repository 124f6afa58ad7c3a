"""What the conversation service is told."""

from pydantic import Field

from libs.runtime.settings import MongoSettings


class ConversationSettings(MongoSettings):
    conversation_port: int = Field(8102, ge=0, le=65_535)
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
