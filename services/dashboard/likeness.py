"""Tells whether an error message belongs to a failure group, by the template of the group. Pure."""

VARYING = "<*>"
"""The placeholder in a template for each part that varies."""
COMPARED_CHARACTERS = 500
"""Only the beginning of a message decides its group; as in `batches.fingerprint`."""


def fits(message: str, template: str) -> bool:
    """Tell whether a message contains the fixed parts of a template in order; an empty template fits all.

    The search never goes back, so it takes time linear in the length of the message.
    """
    first, *others = template.split(VARYING)
    message = " ".join(message[:COMPARED_CHARACTERS].split())  # templates are normalised the same way
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
