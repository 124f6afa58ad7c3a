"""What a member writes into a conversation, and changes of what was written."""

from typing import Final

from libs.events.api import AddNote, EditMessage, SendMessage
from libs.events.api.customers import RecordActivity
from services.conversation.api.conversations import ONE
from services.conversation.api.resource import (
    Routes,
    acting_with,
    acting_within,
    acting_within_with,
)
from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.corrections import CorrectionCommands
from services.conversation.commands.messages import MessageCommands

MESSAGE: Final = ONE + "/messages/{message_id}"
_CREATED: Final = 201

send = acting_with(SendMessage, MessageCommands.send, _CREATED)
note = acting_with(AddNote, MessageCommands.note, _CREATED)
resend = acting_within("message_id", MessageCommands.resend, _CREATED)

MESSAGE_ROUTES: Final[Routes[MessageCommands]] = (
    ("POST", f"{ONE}/messages", send),
    ("POST", f"{ONE}/notes", note),
    ("POST", f"{MESSAGE}/resend", resend),
)

record_activity = acting_with(RecordActivity, ActivityCommands.record_activity, _CREATED)

ACTIVITY_ROUTES: Final[Routes[ActivityCommands]] = (("POST", f"{ONE}/activities", record_activity),)

edit = acting_within_with("message_id", EditMessage, CorrectionCommands.edit_message)
delete = acting_within("message_id", CorrectionCommands.delete_message)

CORRECTION_ROUTES: Final[Routes[CorrectionCommands]] = (
    ("PATCH", MESSAGE, edit),
    ("DELETE", MESSAGE, delete),
)
