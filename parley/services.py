"""The services by name, imported only when asked for: each brings libraries of its own."""

from importlib import import_module
from typing import Any

from libs.runtime.process import ServiceSpec


def service_spec(name: str) -> ServiceSpec[Any]:
    """The ``SERVICE`` of ``services.<name>.app``."""
    spec: ServiceSpec[Any] = import_module(f"services.{name}.app").SERVICE
    return spec
