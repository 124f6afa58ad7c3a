"""The kinds of things a member may be allowed to do. Which role may do which is routing's table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What the right to an action can be limited to, beside the role that gives it."""

    WORKSPACE = "workspace"  # to nothing smaller
    LOCATION = "location"  # to some of the locations
    GROUP = "group"  # to some of the locations, and there to what is in no group or in one's own


class Action(StrEnum):
    READ = "read"
    TAKE = "take"
    ANSWER = "answer"
    NOTE = "note"
    MARK = "mark"  # read, flagged, priority, tags, labels, custom fields, emotions
    ASSIGN = "assign"  # to a member, until when, and back to New
    TRANSFER = "transfer"  # offer a case, accept and decline one
    FORWARD = "forward"
    PARTICIPANTS = "participants"  # add and remove them; one leaves by oneself
    CLOSE = "close"
    CLOSE_UNTAKEN = "close_untaken"  # a case that nobody took, without an answer
    SEND_TO_CRM = "send_to_crm"
    OPEN = "open"  # a case by hand
    REOPEN = "reopen"
    EDIT_CUSTOMERS = "edit_customers"  # the card, merge and split, subscriptions, sales
    BLOCK_CUSTOMERS = "block_customers"
    RECORD_ACTIVITIES = "record_activities"  # what a customer did elsewhere
    MANAGE_CASES = "manage_cases"  # act on a case whoever is responsible for it
    ERASE = "erase"  # a person's data, for ever
    SEE_METRICS = "see_metrics"
    MANAGE_DIRECTORY = "manage_directory"
    MANAGE_OWNERS = "manage_owners"  # make one, change one, take it away from one
    AUDIT = "audit"  # who did what and when, and whether anybody has changed it since


_NOT_BY_CASE: Final = {
    Action.MANAGE_DIRECTORY: Scope.LOCATION,
    Action.MANAGE_OWNERS: Scope.WORKSPACE,
    Action.ERASE: Scope.WORKSPACE,
}
# All others are done to cases and their customers, or tell of them: only where one sees the case.
SCOPES: Final[Mapping[Action, Scope]] = {
    action: _NOT_BY_CASE.get(action, Scope.GROUP) for action in Action
}
