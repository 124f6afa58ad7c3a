"""What a member does to a conversation, from the rule's check to the answer.

One file a family of rules, as in ``domain``; ``Desktop`` is all of them together.
"""

from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.assignment import HandsCommands
from services.conversation.commands.base import Parts
from services.conversation.commands.comments import CommentCommands
from services.conversation.commands.corrections import CorrectionCommands
from services.conversation.commands.drafts import DraftCommands
from services.conversation.commands.erasure import ErasureCommands
from services.conversation.commands.life import LifeCommands
from services.conversation.commands.marks import MarkCommands
from services.conversation.commands.messages import MessageCommands
from services.conversation.commands.queue import CommandQueue
from services.conversation.commands.reading import ReadingCommands
from services.conversation.commands.sight import SightCommands


class Desktop(
    LifeCommands,
    HandsCommands,
    MessageCommands,
    MarkCommands,
    CorrectionCommands,
    ActivityCommands,
    ErasureCommands,
    DraftCommands,
    ReadingCommands,
    CommentCommands,
    SightCommands,
):
    """What one member sees and does in their workspace."""


__all__ = ["CommandQueue", "Desktop", "Parts"]
