"""An album: several messages that a platform shows as one, whichever of them comes first."""

from msgspec.structs import replace

from libs.events.content import Attachment, Content


def joined(present: Content, part: Content) -> Content:
    """With the files of a part that came now, in the platform's order, in place of what that part
    said before. The caption stands in one of the parts."""
    numbers = {one.external_message_id for one in part.attachments}
    kept = [one for one in present.attachments if one.external_message_id not in numbers]
    is_again = len(kept) < len(present.attachments)
    captioned = part if part.text else present
    text, links = captioned.text, captioned.links
    if part.text and present.text and part.text != present.text and not is_again:
        text, links = f"{present.text}\n{part.text}", present.links
    return replace(
        present,
        text=text,
        links=links,
        attachments=tuple(sorted([*kept, *part.attachments], key=_order)),
        point=part.point or present.point,
        forwarded_from=present.forwarded_from or part.forwarded_from,
    )


def without_part(content: Content, number: str) -> Content | None:
    """What is left of an album once the platform's message of that number is deleted; None: it is
    no part of it, or the last."""
    rest = tuple(one for one in content.attachments if one.external_message_id != number)
    if not rest or len(rest) == len(content.attachments):
        return None
    return replace(content, attachments=rest)


def _order(attachment: Attachment) -> tuple[int, str]:
    number = (attachment.external_message_id or "").rpartition(":")[2]
    return (int(number) if number.isdecimal() else 0, attachment.attachment_id)
