"""What a member does to a conversation, from the rule's check to the answer.

One file a family of rules, as in ``domain``; ``Desktop`` is all of them together.
"""

from services.conversation.commands.activities import ActivityCommands
from services.conversation.commands.base import Parts
from services.conversation.commands.corrections import CorrectionCommands
from services.conversation.commands.erasure import ErasureCommands
from services.conversation.commands.hands import HandsCommands
from services.conversation.commands.life import LifeCommands
from services.conversation.commands.marks import MarkCommands
from services.conversation.commands.messages import MessageCommands
from services.conversation.commands.queue import CommandQueue


class Desktop(
    LifeCommands,
    HandsCommands,
    MessageCommands,
    MarkCommands,
    CorrectionCommands,
    ActivityCommands,
    ErasureCommands,
):
    """What one member sees and does in their workspace."""


__all__ = ["CommandQueue", "Desktop", "Parts"]
