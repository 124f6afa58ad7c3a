"""Whether a changed JSON Schema still understands, and is understood by, what was released before.

Readers and writers of different versions stand side by side while a release is rolled out or taken
back, and what is stored or on Kafka stays; so a released shape may only grow by fields that need
not be there, and by further values of an enumeration.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

# What is only for people to read.
_PROSE: Final = frozenset({"title", "description", "$schema", "$id", "$defs"})


def breaks(released: Schema, present: Schema) -> list[str]:
    """What of ``present`` is not compatible, each as a sentence that names the field."""
    return list(_Comparison(released, present).compare(released, present, ""))


class _Comparison:
    def __init__(self, released: Schema, present: Schema) -> None:
        self._released: Schema = released.get("$defs", {})
        self._present: Schema = present.get("$defs", {})
        self._compared: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        names = (old.get("$ref", ""), new.get("$ref", ""))
        if all(names):
            if names in self._compared:
                return
            self._compared.add(names)
        old, new = _resolved(old, self._released), _resolved(new, self._present)
        if "enum" in old and "enum" in new:
            yield from self._enumerations(old, new, where)
        elif "anyOf" in old and "anyOf" in new:
            yield from self._alternatives(old["anyOf"], new["anyOf"], where)
        for keyword in sorted((old.keys() | new.keys()) - _PROSE - {"enum", "anyOf"}):
            before, after = old.get(keyword), new.get(keyword)
            if keyword == "properties":
                yield from self._fields(old, new, where)
            elif keyword == "required":
                continue  # with the fields
            elif isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.compare(before, after, f"{where}[]")
            elif isinstance(before, list) and isinstance(after, list):
                yield from self._items(before, after, f"{where}.{keyword}")
            elif before != after:
                yield f"{where or 'the whole'}: {keyword} was {before!r} and is {after!r}"
        for keyword in ("enum", "anyOf"):
            if (keyword in old) is not (keyword in new):
                yield f"{where or 'the whole'}: it is of another type"

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was, now = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            path = f"{where}.{name}".lstrip(".")
            if name not in after:
                yield f"{path}: the field was removed"
                continue
            if (name in was) is not (name in now):
                yield f"{path}: it {'need not' if name in was else 'has to'} be there now"
            yield from self.compare(before[name], after[name], path)
        for name in sorted(after.keys() - before.keys()):
            if name in now:
                yield f"{where}.{name}: a new field has to be there".lstrip(".")

    def _enumerations(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        if gone := sorted(set(old["enum"]) - set(new["enum"]), key=str):
            yield f"{where}: the values {gone} are not taken any more"

    def _alternatives(self, old: list[Schema], new: list[Schema], where: str) -> Iterator[str]:
        if len(old) != len(new):
            yield f"{where}: it is of another type"
            return
        for before, after in zip(old, new, strict=True):
            yield from self.compare(before, after, where)

    def _items(self, old: list[Any], new: list[Any], where: str) -> Iterator[str]:
        if len(old) != len(new):
            yield f"{where}: there were {len(old)} and are {len(new)}"
            return
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.compare(before, after, f"{where}[{number}]")
            elif before != after:
                yield f"{where}: it was {before!r} and is {after!r}"


def _resolved(node: Schema, definitions: Schema) -> Schema:
    """What a reference names, with what stands beside it (a default)."""
    reference = node.get("$ref")
    if reference is None:
        return node
    named: Schema = definitions[str(reference).rpartition("/")[2]]
    return {**named, **{key: value for key, value in node.items() if key != "$ref"}}
