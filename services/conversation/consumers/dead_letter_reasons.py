"""Why a message of Kafka's could not be applied, for its dead letter."""

from libs.aggregates.commands import NotThere, Outcome, TooMuch, Unfit
from libs.runtime.consumer import Received, Refused


def reason_of(refusal: Outcome[object]) -> str:
    """Of an outcome that is not ``Done``, in words without anything personal."""
    if isinstance(refusal, NotThere):
        return "its conversation is not one of its workspace"
    if isinstance(refusal, TooMuch):
        return "it is larger than a commit may be"
    if isinstance(refusal, Unfit):
        return "it holds what no store can hold"
    return f"the case does not allow it: {type(refusal).__name__}"


def not_expected(one: Received) -> Refused:
    """A message of a type that this topic does not carry."""
    return Refused(one, f"{type(one.envelope.body).__name__} is not expected on this topic")
