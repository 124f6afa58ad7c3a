"""The contract between the services: topics, envelope, event and command types."""

from libs.events import (
    commands,
    conversation,
    customer,
    directory,
    inbound,
    notification,
    outbound,
)

__all__ = [
    "commands",
    "conversation",
    "customer",
    "directory",
    "inbound",
    "notification",
    "outbound",
]
