"""``python -m parley.openapi``: write ``docs/openapi.json``, of which the typed clients are made.

It is the public API as the gateway serves it at ``/openapi.json``.
"""

import json
from pathlib import Path
from typing import Any, Final

from libs.runtime.settings import load
from parley.keys import all_keys
from services.gateway.app import openapi_of
from services.gateway.settings import GatewaySettings

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"
# Nothing of them is connected to; the first stands in the document, for whoever runs `make up`.
_ADDRESSES: Final = {
    "PARLEY_GATEWAY_PUBLIC_URL": "http://127.0.0.1:8100",
    "PARLEY_GATEWAY_INGEST_PUBLIC_URL": "http://127.0.0.1:8101",
    **{
        f"PARLEY_GATEWAY_{name}_URL": "http://127.0.0.1:9"
        for name in ("CONVERSATION", "ROUTING", "INGEST", "NOTIFY", "ANALYTICS")
    },
    "PARLEY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "PARLEY_MONGODB_URL": "mongodb://127.0.0.1:9",
}


def document() -> dict[str, Any]:
    return openapi_of(load(GatewaySettings, all_keys({}) | _ADDRESSES))


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    DOCUMENT.write_text(written(document()))


if __name__ == "__main__":
    main()
