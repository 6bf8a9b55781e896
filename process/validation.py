"""Says in our words what is wrong with a value of a setting or of a file."""

from pydantic_core import ErrorDetails

_SENTENCES = {
    "bool_parsing": "must be true or false",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known name",
    "float_parsing": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have {min_length} or more characters",
    "too_short": "must have {min_length} or more entries",
}
"""By the types of pydantic's errors, whose own sentences speak of inputs and strings."""


def sentence_of(problem: ErrorDetails) -> str:
    """Return what is wrong, without the value: it may be a secret."""
    sentence = _SENTENCES.get(problem["type"])
    if sentence is None:
        return problem["msg"].removeprefix("Value error, ")
    return sentence.format_map(problem.get("ctx", {}))
