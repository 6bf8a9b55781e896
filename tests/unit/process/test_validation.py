"""What a person reads about a wrong setting."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from process.validation import sentence_of


class Settings(BaseModel):
    """A field for each kind of limit."""

    model_config = ConfigDict(extra="forbid")

    flag: bool = False
    whole: int = Field(default=1, ge=1, le=9)
    number: float = Field(default=1.0, gt=0)
    choice: Literal["a", "b"] = "a"
    text: Annotated[str, Field(min_length=1, max_length=3, pattern="^a")] = "a"
    entries: list[int] = Field(default=[1], min_length=1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"flag": "perhaps"}, "must be true or false"),
        ({"whole": "many"}, "must be an integer"),
        ({"whole": 1.5}, "must be an integer"),
        ({"whole": 0}, "must be at least 1"),
        ({"whole": 10}, "must be at most 9"),
        ({"number": "many"}, "must be a number"),
        ({"number": 0}, "must be more than 0.0"),
        ({"choice": "c"}, "must be 'a' or 'b'"),
        ({"text": ""}, "must have 1 or more characters"),
        ({"text": "aaaa"}, "must have at most 3 characters"),
        ({"text": "b"}, "must match ^a"),
        ({"entries": []}, "must have 1 or more entries"),
        ({"other": 1}, "is not a known name"),
    ],
)
def test_each_problem_is_a_sentence_without_the_value(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    assert [sentence_of(problem) for problem in caught.value.errors()] == [sentence]
