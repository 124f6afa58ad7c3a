"""The aggregate: one thread between a customer and a source, and its cases one after another."""

from services.conversation.domain.conversation.activities import Activities
from services.conversation.domain.conversation.assignment import Assignment
from services.conversation.domain.conversation.crm import Crm
from services.conversation.domain.conversation.customer_profile import CustomerProfile
from services.conversation.domain.conversation.erasure import Erasure
from services.conversation.domain.conversation.marks import Marks
from services.conversation.domain.conversation.messages import Messages
from services.conversation.domain.conversation.notes import Notes
from services.conversation.domain.conversation.opening import Opening
from services.conversation.domain.conversation.reading import Reading
from services.conversation.domain.conversation.sending import Sendings
from services.conversation.domain.conversation.transfer import Transfer
from services.conversation.domain.conversation.watermarks import Reached


class Conversation(
    Messages,
    Assignment,
    Transfer,
    Notes,
    Reading,
    Marks,
    Reached,
    Activities,
    CustomerProfile,
    Crm,
    Opening,
    Erasure,
    Sendings,
):
    """Its rules are one file a family; here they come together."""
