"""The aggregate: one thread between a customer and a source, and its cases one after another."""

from services.conversation.domain.activities import Activities
from services.conversation.domain.assignment import Assignment
from services.conversation.domain.crm import Crm
from services.conversation.domain.erasure import Erasure
from services.conversation.domain.marks import Marks
from services.conversation.domain.messages import Messages
from services.conversation.domain.naming import Naming
from services.conversation.domain.notes import Notes
from services.conversation.domain.opening import Opening
from services.conversation.domain.reading import Reading
from services.conversation.domain.sending import Sendings
from services.conversation.domain.transfer import Transfer
from services.conversation.domain.watermarks import Reached


class Conversation(
    Messages,
    Assignment,
    Transfer,
    Notes,
    Reading,
    Marks,
    Reached,
    Activities,
    Naming,
    Crm,
    Opening,
    Erasure,
    Sendings,
):
    """Its rules are one file a family; here they come together."""
