"""Every collection of MongoDB: whose it is, and what bounds it. docs/collections.md is made of it.

``python -m parley.stored`` writes the page; the tests compare it, and look for collections that are
missing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "collections.md"


@dataclass(frozen=True, slots=True)
class Stored:
    """``bound``: what keeps it from growing for ever, or what it grows with, and must."""

    service: str
    what: str
    bound: str


_EVENTS: Final = "kept: all else is made of them"
_ROW: Final = "kept as long as the events that it is made of"
_REBUILT: Final = "there while a rebuild runs; dropped at its end and at the beginning of the next"

COLLECTIONS: Final[Mapping[str, Stored]] = MappingProxyType(
    {
        "conversation_commits": Stored("conversation", "the events", _EVENTS),
        "conversation_inbox": Stored("conversation", "a row for each conversation", _ROW),
        "conversation_messages": Stored("conversation", "a row for each message", _ROW),
        "conversation_customers": Stored("conversation", "a row for each identity", _ROW),
        "conversation_search": Stored("conversation", "the search's words, as keyed hashes", _ROW),
        "conversation_search_forgotten": Stored(
            "conversation", "up to where an erased conversation is found no more", "90 days"
        ),
        "conversation_attachments": Stored("conversation", "in which messages a file is", _ROW),
        "conversation_landmarks": Stored(
            "conversation", "states of the past, one for about 200 events", "180 days"
        ),
        "conversation_answers": Stored("conversation", "first answers to commands", "24 hours"),
        "conversation_counters": Stored("conversation", "case numbers", "one a workspace"),
        "conversation_drafts": Stored("conversation", "members' unsent drafts", "90 days"),
        "conversation_early_deletions": Stored(
            "conversation", "deletions that came before what they delete", "a TTL index"
        ),
        "conversation_verified": Stored(
            "conversation", "up to where audited conversations were verified", "30 days unasked"
        ),
        "conversation_erasures": Stored(
            "conversation", "erasures under way and watched", "7 days after their end"
        ),
        "conversation_keys": Stored(
            "conversation", "identities' wrapped keys", "one an identity and erasure of it"
        ),
        "conversation_workspace_keys": Stored("conversation", "workspaces' keys", "two each"),
        "conversation_read_models": Stored("conversation", "versions of rows", "one a read model"),
        "conversation_saved_filters": Stored("conversation", "members' filters", "100 a member"),
        **{
            f"conversation_{rows}_rebuilt": Stored("conversation", "rows being made", _REBUILT)
            for rows in ("inbox", "messages", "customers", "search", "attachments")
        },
        "routing_commits": Stored("routing", "the directory's events", _EVENTS),
        "routing_snapshots": Stored("routing", "the directory as it stands", "one a workspace"),
        "routing_things": Stored("routing", "a row for each entry of the directory", _ROW),
        "routing_answers": Stored("routing", "first answers to changes", "24 hours"),
        "notify_rules": Stored("notify", "who is told of what", "one a workspace"),
        "notify_notifications": Stored("notify", "what was told in the application", "90 days"),
        "notify_deliveries": Stored("notify", "e-mails", "30 days after their end"),
        "notify_crm_deliveries": Stored("notify", "posts to CRMs", "30 days after their end"),
        "ingest_moves": Stored("ingest", "groups that became supergroups", "one a group"),
        "ingest_registrations": Stored("ingest", "webhooks of sources", "one a source"),
        "ingest_leaving": Stored("ingest", "webhooks to be taken off", "a day"),
        "ingest_polls": Stored(
            "ingest", "up to where a source's platform was asked", "one a source"
        ),
        "ingest_attempts": Stored("ingest", "attempts to send", "14 days"),
        "parley_migrations": Stored("parley", "which migrations have run", "one a migration"),
        "gateway_accounts": Stored("gateway", "members' accounts", "one a member"),
        "gateway_sessions": Stored("gateway", "sign-ins", "until they expire"),
        "gateway_api_tokens": Stored("gateway", "API tokens", "until they expire"),
        "gateway_attempts": Stored(
            "gateway", "failed sign-ins, by hashes", "until their window is over"
        ),
    }
)


def page() -> str:
    """docs/collections.md."""
    rows = (f"| `{name}` | {one.what} | {one.bound} |" for name, one in COLLECTIONS.items())
    return "\n".join(
        [
            "# Every collection of MongoDB, and what bounds it",
            "",
            "Written by `python -m parley.stored`. Whose a collection is, its name says: no other"
            " service's account reads or writes it.",
            "",
            "| collection | what it has | what bounds it |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
