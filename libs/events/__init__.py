"""The contract between the services: topics, envelope, event and command types."""

from libs.events import commands, conversation, directory, inbound, marking, notification, outbound

__all__ = [
    "commands",
    "conversation",
    "directory",
    "inbound",
    "marking",
    "notification",
    "outbound",
]
