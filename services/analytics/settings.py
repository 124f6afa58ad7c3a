"""What analytics is told by its environment."""

from typing import Annotated, Final
from urllib.parse import urlparse

from pydantic import AfterValidator, Field, SecretStr

from libs.runtime.settings import PORT, ServiceSettings, Settings, SigningKey

_SCHEMES: Final = ("chdb", "clickhouse", "http", "https")


def _dsn(value: SecretStr) -> SecretStr:
    if urlparse(value.get_secret_value()).scheme not in _SCHEMES:
        raise ValueError("must begin with chdb:// or clickhouse:// (or http://, https://)")
    return value


class WarehouseSettings(Settings):
    """``analytics_clickhouse_database`` wins over a database named in a server's address."""

    analytics_clickhouse_dsn: Annotated[SecretStr, AfterValidator(_dsn)] = Field(
        description="chdb:///folder in this process, or clickhouse://user:password@host:8123/db"
    )
    analytics_clickhouse_database: str | None = Field(
        None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="wins over the database in the server's address",
    )


class AnalyticsSettings(ServiceSettings, WarehouseSettings):
    analytics_signing_key: SigningKey = Field(description="analytics signs its calls with it")
    analytics_port: int = Field(8105, ge=0, le=65535, description=PORT)
    analytics_flush_interval_seconds: float = Field(
        0.5, gt=0, le=10, description="how long rows wait for others before they are inserted"
    )
