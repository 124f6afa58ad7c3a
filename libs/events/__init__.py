"""The contract between the services: topics, envelope, event and command types."""

from libs.events import (
    commands,
    conversation,
    correcting,
    customer,
    directory,
    inbound,
    marking,
    notification,
    outbound,
    sending,
    watermark,
    withholding,
)

__all__ = [
    "commands",
    "conversation",
    "correcting",
    "customer",
    "directory",
    "inbound",
    "marking",
    "notification",
    "outbound",
    "sending",
    "watermark",
    "withholding",
]
