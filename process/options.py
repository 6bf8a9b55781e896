"""The settings of a deployable as help text."""

from pydantic_settings import BaseSettings


def settings_help(*settings: type[BaseSettings]) -> str:
    """Return a paragraph for each variable: its name, what it does, its default and why."""
    return "\n\n".join(
        f"{str(one.model_config['env_prefix']).upper()}{name.upper()}: {field.description}"
        for one in settings
        for name, field in one.model_fields.items()
    )
