"""What ingest is told by its environment."""

from pydantic import Field, Json, SecretStr

from libs.runtime.settings import (
    DeploymentSettings,
    MongoSettings,
    ServiceSettings,
    SigningKey,
)


class IngestSettings(ServiceSettings, DeploymentSettings, MongoSettings):
    """Units are in the names; addresses are base URLs without a slash at the end."""

    ingest_signing_key: SigningKey = Field(description="ingest signs its calls with it")
    ingest_port: int = Field(
        8101, ge=0, le=65535, description="webhooks, the widget, and what the services ask"
    )
    ingest_operations_port: int = Field(
        8111, ge=0, le=65535, description="/metrics and the details of /readyz, for operators"
    )
    ingest_public_url: str = Field(
        pattern="^https?://", description="where the platforms and browsers reach ingest"
    )
    ingest_conversation_url: str = Field(
        pattern="^https?://", description="where the conversation service answers"
    )
    ingest_publish_timeout_seconds: float = Field(
        2, gt=0, description="how long a webhook waits for Kafka before it answers 503"
    )
    ingest_telegram_api_url: str = Field(
        "https://api.telegram.org",
        pattern="^https?://",
        description="where the Bot API answers; another one for a Bot API server of your own",
    )
    ingest_storage_url: str = Field(
        description="where attachments are kept: file:///a/folder or s3://a-bucket/a/prefix"
    )
    ingest_storage_options: Json[dict[str, SecretStr]] = Field(
        "{}",  # type: ignore[arg-type]  # pydantic parses a default as it parses what is given
        description="JSON object: region, endpoint, keys of the storage",
    )
