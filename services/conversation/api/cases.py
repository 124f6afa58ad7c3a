"""What a member does to a conversation's case: its life, its responsible, its participants."""

from typing import Final

from libs.events.api.cases import (
    AddParticipant,
    AssignCase,
    ForwardCase,
    SendToCrm,
    SetDue,
    TransferCase,
)
from services.conversation.api.conversations import ONE
from services.conversation.api.resource import Routes, acting, acting_with, acting_within
from services.conversation.commands.assignment import AssignmentCommands
from services.conversation.commands.life import LifeCommands

take = acting(LifeCommands.take)
close = acting(LifeCommands.close)
reopen = acting(LifeCommands.reopen)
open_by_hand = acting(LifeCommands.open)
send_to_crm = acting_with(SendToCrm, LifeCommands.send_to_crm)

LIFE_ROUTES: Final[Routes[LifeCommands]] = (
    ("POST", f"{ONE}/take", take),
    ("POST", f"{ONE}/close", close),
    ("POST", f"{ONE}/reopen", reopen),
    ("POST", f"{ONE}/open", open_by_hand),
    ("POST", f"{ONE}/send-to-crm", send_to_crm),
)

assign = acting_with(AssignCase, AssignmentCommands.assign)
unassign = acting(AssignmentCommands.unassign)
take_over = acting(AssignmentCommands.take_over)
set_due = acting_with(SetDue, AssignmentCommands.set_due)
forward = acting_with(ForwardCase, AssignmentCommands.forward)
transfer = acting_with(TransferCase, AssignmentCommands.transfer)
accept = acting(AssignmentCommands.accept)
decline = acting(AssignmentCommands.decline)
withdraw = acting(AssignmentCommands.withdraw)
add_participant = acting_with(AddParticipant, AssignmentCommands.add_participant)
remove_participant = acting_within("member_id", AssignmentCommands.remove_participant)
leave = acting(AssignmentCommands.leave)

ASSIGNMENT_ROUTES: Final[Routes[AssignmentCommands]] = (
    ("POST", f"{ONE}/assign", assign),
    ("POST", f"{ONE}/unassign", unassign),
    ("POST", f"{ONE}/take-over", take_over),
    ("POST", f"{ONE}/due", set_due),
    ("POST", f"{ONE}/forward", forward),
    ("POST", f"{ONE}/transfer", transfer),
    ("POST", f"{ONE}/accept", accept),
    ("POST", f"{ONE}/decline", decline),
    ("POST", f"{ONE}/withdraw", withdraw),
    ("POST", f"{ONE}/participants", add_participant),
    ("DELETE", f"{ONE}/participants/{{member_id}}", remove_participant),
    ("POST", f"{ONE}/leave", leave),
)
