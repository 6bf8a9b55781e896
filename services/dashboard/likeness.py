"""Whether a message is one of a group's, by what the group's messages have in common. Pure."""

VARYING = "<*>"
"""What stands in a template for each part that varies."""
COMPARED_CHARACTERS = 500
"""Messages are grouped by so much of their beginning."""


def fits(message: str, template: str) -> bool:
    """Tell whether a message has the template's fixed parts in their order; an empty template fits all.

    Looked for from left to right, without going back: the time is that of reading the message once.
    """
    first, *others = template.split(VARYING)
    message = " ".join(message[:COMPARED_CHARACTERS].split())  # as templates are: line breaks are blanks
    if not template:
        return True
    if not message.startswith(first):
        return False
    if not others:
        return message == first or len(template) >= COMPARED_CHARACTERS
    at = len(first)
    for part in others[:-1]:
        found = message.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    last = others[-1]
    if len(template) >= COMPARED_CHARACTERS:
        return last in message[at:]
    return len(message) - len(last) >= at and message.endswith(last)
