"""``python -m parley.settings``: write ``docs/settings.md``, every setting of the services in one
table, from their classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libs.runtime.settings import PREFIX, SERVICES
from parley.given import why_not
from parley.keys import is_secret
from parley.services import service_spec

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

_HEAD: Final = """\
# Settings

Written by `python -m parley.settings` from the settings classes; a test sees that it is current.

All of it is set by environment. An empty value counts as not set; a name that is no setting, a
value that is wrong and a setting that is missing are refused at start, each by its name.
Units are in the names. A service may be given the settings of the others too, but for secrets,
which each has its own of. `make up` takes what the last column allows from the environment or from
`.env`; for the rest it says why it cannot. Kubernetes has them in `deploy/k8s`: what is not secret
in `settings.env`, what is in a secret of each service (`parley keys --into`).

"""
_KINDS: Final[Mapping[type, str]] = {int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One name, as all the services that know it declare it."""

    name: str
    field: FieldInfo
    services: tuple[str, ...]

    @property
    def is_secret(self) -> bool:
        return is_secret(self.field)

    @property
    def is_required(self) -> bool:
        return self.field.default is PydanticUndefined

    @property
    def default(self) -> str:
        """As it would be set; empty where there is none."""
        value = self.field.default
        if self.is_required or value in (None, "", "{}"):
            return ""
        return str(value).lower() if isinstance(value, bool) else f"{value}"

    @property
    def kind(self) -> str:
        """Of the value as it is written down, with its bounds or its few words."""
        kind, bounds = self.field.annotation, self.field.metadata
        if words := get_args(getattr(kind, "__value__", None)):
            return ", ".join(f"`{word}`" for word in words)
        told = _KINDS.get(kind, "text") if isinstance(kind, type) else "text"
        marks = ((">", "gt"), ("≥", "ge"), ("<", "lt"), ("≤", "le"))
        limits = [
            f"{mark} {getattr(bound, name)}"
            for mark, name in marks
            for bound in bounds
            if hasattr(bound, name)
        ]
        return " ".join([told, ", ".join(limits)]).strip()


def all_settings() -> list[Setting]:
    """Of all services: those of all first, then each service's own, by name."""
    fields: dict[str, FieldInfo] = {}
    knowing: dict[str, list[str]] = {}
    for service in SERVICES:
        for name, field in service_spec(service).settings.model_fields.items():
            fields.setdefault(name, field)
            knowing.setdefault(name, []).append(service)
    return [
        Setting(PREFIX + name.upper(), fields[name], tuple(knowing[name]))
        for name in sorted(fields)
    ]


def document() -> str:
    settings = all_settings()
    parts = [("Of several services", [one for one in settings if len(one.services) > 1])]
    parts += [
        (f"Of {service} alone", [one for one in settings if one.services == (service,)])
        for service in SERVICES
    ]
    return _HEAD + "\n".join(_table(title, some) for title, some in parts)


def _table(title: str, settings: list[Setting]) -> str:
    rows = [
        f"## {title}\n",
        "| setting | type | default | services | what it does | secret | `make up` |",
        "|---|---|---|---|---|---|---|",
        *map(_row, settings),
    ]
    return "\n".join(rows) + "\n"


def _row(one: Setting) -> str:
    services = "all" if len(one.services) == len(SERVICES) else ", ".join(one.services)
    default = "**required**" if one.is_required else f"`{one.default}`" if one.default else ""
    refused = why_not(one.name)
    cells = [
        f"`{one.name}`",
        one.kind,
        default,
        services,
        (one.field.description or "").replace("|", "\\|"),
        "secret" if one.is_secret else "",
        f"no: {refused}" if refused else "yes",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    DOCUMENT.write_text(document())


if __name__ == "__main__":
    main()
