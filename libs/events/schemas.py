"""JSON Schemas of the public types, for readers in other languages.

``python -m libs.events.schemas`` writes them to ``schemas/<type>.json``, beside this file.
"""

import inspect
import json
from pathlib import Path
from typing import Any, Final

import msgspec

import libs.events  # noqa: F401  # declares every public type
from libs.events.registry import TypeSpec, all_types

FOLDER: Final = Path(__file__).parent / "schemas"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(spec: TypeSpec) -> dict[str, Any]:
    """The schema of one type's body. Fields that it does not name are allowed, and ignored."""
    schema: dict[str, Any] = cleaned(msgspec.json.schema(spec.body))
    return {"$schema": _DIALECT, "$id": f"urn:{spec.name}", **schema}


def cleaned(node: Any) -> Any:
    """Descriptions come from docstrings, with the indentation of the source."""
    if isinstance(node, list):
        return [cleaned(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: inspect.cleandoc(value)
        if key == "description" and isinstance(value, str)
        else cleaned(value)
        for key, value in node.items()
    }


def files() -> dict[Path, str]:
    """Each schema's file and what it should hold."""
    return {
        FOLDER / f"{spec.name}.json": json.dumps(schema_of(spec), indent=2, sort_keys=True) + "\n"
        for spec in all_types()
    }


def main() -> None:
    """Write all of them, and remove those of types that are no more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for stale in set(FOLDER.glob("*.json")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
