"""The event store on MongoDB: see README.md.

`PERSISTENCE_MODULE=libs.eventstore` gives an application of the `eventsourcing` library its
recorders; that library looks for exactly one factory among the members of this module.
"""

from libs.eventstore.factory import Factory

__all__ = ["Factory"]
