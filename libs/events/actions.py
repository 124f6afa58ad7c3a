"""The kinds of things a member may be allowed to do. Which role may do which is routing's table."""

from enum import StrEnum


class Action(StrEnum):
    READ = "read"
    TAKE = "take"
    ANSWER = "answer"
    NOTE = "note"
    MARK = "mark"  # read, flagged, priority, tags, labels, custom fields, emotions
    CLOSE = "close"
    REOPEN = "reopen"
    MANAGE_CASES = "manage_cases"  # act on a case whoever is responsible for it
    SEE_METRICS = "see_metrics"
    MANAGE_DIRECTORY = "manage_directory"
