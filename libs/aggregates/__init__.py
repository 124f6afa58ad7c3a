"""The event-sourcing kit on the `eventsourcing` library: see README.md."""
