"""What a customer did outside of the conversation, as a funnel, a shop or a bot tells it."""

from typing import Literal

ActivityKind = Literal[
    "subscribed",
    "resubscribed",
    "unsubscribed",
    "ordered",
    "payment_succeeded",
    "payment_failed",
    "funnel_started",
    "funnel_stopped",
    "trigger_fired",
    "filter_fired",
]
# Whatever is to be shown with it: the offer's name, the sum, the funnel and its block.
ActivityVariables = dict[str, str | int | float | bool]
