"""The settings of a program as help text."""

from process.settings import Settings


def settings_help(*settings: type[Settings]) -> str:
    """Describe settings, one paragraph per variable.

    Args:
        settings: the classes of the settings.

    Returns:
        For each variable its name, what it does, and its default with the reason for it.

    """
    return "\n\n".join(
        f"{one.variable(name)}: {field.description}"
        for one in settings
        for name, field in one.model_fields.items()
    )
