"""Why a message of Kafka's could not be applied, for its dead letter."""

from libs.aggregates.commands import NotThere, Outcome, TooMuch, Unfit


def reason_of(refusal: Outcome[object]) -> str:
    if isinstance(refusal, NotThere):
        return "its conversation is not one of its workspace"
    if isinstance(refusal, TooMuch):
        return "it is larger than a commit may be"
    if isinstance(refusal, Unfit):
        return "it holds what no store can hold"
    return f"the case does not allow it: {type(refusal).__name__}"
