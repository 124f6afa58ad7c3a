"""The real servers, as local processes: Kafka, MongoDB's protocol, and a place for chDB."""

from libs.devstack.processes import ManagedProcess, ProcessFailed
from libs.devstack.stack import Devstack, Servers

__all__ = ["Devstack", "ManagedProcess", "ProcessFailed", "Servers"]
