"""What a rule answers that does not allow something."""

from collections.abc import Mapping
from typing import Any, ClassVar

from libs.aggregates.aggregate import RuleBroken
from services.conversation.domain.variables import Variable


class Refusal(RuleBroken):
    """A broken rule, with all that its answer tells.

    To add one: a subclass with its ``kind``, its ``title.<kind>`` and ``refused.<kind>`` in each of
    ``localization/*.po``, and an example in the tests (``localization/test_texts.py``).

    ``told``: the variables of ``refused.<kind>``, or of ``refused.<kind>.<variant>`` where a kind
    is told in several ways. ``extra``: what the answer has beside, for programs.
    """

    kind: ClassVar[str]

    def __init__(
        self, told: Mapping[str, Variable] | None = None, variant: str = "", **extra: Any
    ) -> None:
        super().__init__(", ".join((self.kind, *(f"{name} {extra[name]}" for name in extra))))
        self.told: Mapping[str, Variable] = told or {}
        self.variant = variant
        self.extra: Mapping[str, Any] = extra

    @property
    def text(self) -> str:
        """The key of its text."""
        return f"refused.{self.kind}.{self.variant}" if self.variant else f"refused.{self.kind}"
