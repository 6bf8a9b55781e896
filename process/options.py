"""The settings of a program as help text."""

from pydantic_settings import BaseSettings


def settings_help(*settings: type[BaseSettings]) -> str:
    """Describe settings, one paragraph per variable.

    Args:
        settings: the classes of the settings.

    Returns:
        For each variable its name, what it does, and its default with the reason for it.

    """
    return "\n\n".join(
        f"{str(one.model_config['env_prefix']).upper()}{name.upper()}: {field.description}"
        for one in settings
        for name, field in one.model_fields.items()
    )
