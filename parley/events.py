"""``python -m parley.events``: write ``docs/events.md``. ``python -m parley.events release``: also
write down the schemas of all events as released ones, which from then on may only grow.

The released schemas stand beside what declares the events, in ``released/<name>.json``.
"""

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

import services.conversation.domain
from libs.events.registry import all_types
from libs.events.schemas import cleaned
from services.conversation.domain import events as conversation_events
from services.routing.domain.events import EVENTS as ROUTING_EVENTS

TOP: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = TOP / "docs" / "events.md"

_HEAD: Final = """\
# Events

Written by `python -m parley.events` from the code; a test sees that it is current.

**Public events** are the contract between the services, on Kafka as CloudEvents. **Stored events**
are what a service keeps, and nobody else's business. A name is for ever: a released event only
grows by fields that need not be there and by further values of its enumerations (`released/`
beside the code, checked by the tests), and what has to change gets a new version, with an upcaster
for what was stored. A reader that does not know a type, or a value of an enumeration, stops its
partition there: a newer version wrote it, and a newer process reads on. A ⚿ marks what a person
said or who they are: it is sealed at rest, and erased with its person.
"""


@dataclass(frozen=True, slots=True)
class Family:
    """The events of one place. ``topics`` of public ones; ``personal`` by event's name."""

    title: str
    folder: Path
    shapes: Mapping[str, type]
    topics: Mapping[str, str]
    personal: Mapping[str, frozenset[str]]

    @property
    def released(self) -> Path:
        """Where the schemas stand that were released."""
        return self.folder / "released"

    def schema(self, name: str) -> dict[str, Any]:
        """Of the event as it is now."""
        encoded = msgspec.json.encode(msgspec.json.schema(self.shapes[name]))
        schema: dict[str, Any] = cleaned(json.loads(encoded))
        return schema


def families() -> list[Family]:
    domain = services.conversation.domain
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        importlib.import_module(module.name)
    stored = conversation_events.declared()
    specs = all_types()
    return [
        Family(
            "Public events and commands",
            TOP / "libs" / "events",
            {spec.name: spec.body for spec in specs},
            {spec.name: spec.topic.value for spec in specs},
            {spec.name: frozenset(spec.personal) for spec in specs},
        ),
        Family(
            "Stored by conversation",
            TOP / "services" / "conversation",
            stored,
            {},
            {name: frozenset(conversation_events.personal(name)) for name in stored},
        ),
        Family(
            "Stored by routing",
            TOP / "services" / "routing",
            ROUTING_EVENTS.declared(),
            {},
            {},
        ),
    ]


def document() -> str:
    """What ``docs/events.md`` says."""
    values: dict[str, type] = {}
    parts = [_HEAD, *(line for family in families() for line in _family(family, values))]
    parts.append("## Values\n\nWhat fields are made of.\n")
    told: set[str] = set()
    while left := sorted(values.keys() - told):
        for name in left:
            told.add(name)
            values_of = values[name]
            parts += [f"### {name}\n", *_shape(values_of, frozenset(), values)]
    return "\n".join(parts)


def _family(family: Family, values: dict[str, type]) -> Iterator[str]:
    yield f"## {family.title}\n"
    for name, shape in family.shapes.items():
        yield f"### {name}\n"
        if name in family.topics:
            yield f"On `{family.topics[name]}`.\n"
        yield from _shape(shape, family.personal.get(name, frozenset()), values)


def _shape(shape: type, personal: frozenset[str], values: dict[str, type]) -> Iterator[str]:
    reason = inspect.cleandoc(shape.__doc__ or "").replace("``", "`")
    if reason:
        yield f"{reason}\n"
    info = msgspec.inspect.type_info(shape)
    if not isinstance(info, msgspec.inspect.StructType) or not info.fields:
        return
    yield "| field | type | |\n|---|---|---|"
    for field in info.fields:
        sealed = "⚿" if _is_personal(field.encode_name, personal) else ""
        needed = "" if field.required else "optional"
        about = " ".join(filter(None, (needed, sealed)))
        yield f"| `{field.encode_name}` | {_type(field.type, values)} | {about} |"
    yield ""


def _is_personal(field: str, personal: frozenset[str]) -> bool:
    return any(path == field or path.startswith(f"{field}.") for path in personal)


_PLAIN: Final[Mapping[type, str]] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.DateTimeType: "instant",
    msgspec.inspect.NoneType: "null",
}


def _type(info: msgspec.inspect.Type, values: dict[str, type]) -> str:
    match info:
        case msgspec.inspect.StructType(cls=cls):
            if values.setdefault(cls.__name__, cls) is not cls:
                raise ValueError(f"two shapes in events are called {cls.__name__}")
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
        case msgspec.inspect.EnumType(cls=cls):
            return ", ".join(f"`{one.value}`" for one in cls)
        case msgspec.inspect.LiteralType(values=given):
            return ", ".join(f"`{one}`" for one in given)
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(_type(one, values) for one in types)
        case msgspec.inspect.VarTupleType(item_type=item):
            return f"list of {_type(item, values)}"
        case msgspec.inspect.DictType(value_type=value):
            return f"by name, {_type(value, values)}"
        case msgspec.inspect.Metadata(type=inner):
            return _type(inner, values)
    return _PLAIN[type(info)]


def release() -> None:
    """Write down what is there now, in place of what was."""
    for family in families():
        family.released.mkdir(exist_ok=True)
        for name in family.shapes:
            text = json.dumps(family.schema(name), indent=2, sort_keys=True)
            (family.released / f"{name}.json").write_text(text + "\n")


def main() -> None:
    if sys.argv[1:] == ["release"]:
        release()
    DOCUMENT.write_text(document())


if __name__ == "__main__":
    main()
