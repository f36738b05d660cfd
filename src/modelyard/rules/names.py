"""Names of registered models. No I/O.

Source: MLflow 3.17 (no slash or colon, no step of a path) and contracts/mlflow.md 5 (length).
"""

from modelyard.errors import InvalidValue, NotFound
from modelyard.rules.texts import check_storable

MAX_NAME_CHARACTERS = 256


def check_model_name(name: str) -> None:
    """Raise InvalidValue unless a registered model may bear `name`."""
    if not name.strip():
        # The words of the live service, which Terraform's tests compare.
        raise InvalidValue(f"Got an invalid name '{name[:20]}'. Registered Model names cannot be empty strings.")
    check_storable("name", name)
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidValue(f"The model name has {len(name)} characters; at most {MAX_NAME_CHARACTERS} are allowed.")
    if "/" in name or ":" in name:
        raise InvalidValue(f"Invalid model name {name!r}: it must not contain '/' or ':'.")
    if name in (".", ".."):
        raise InvalidValue(f"Invalid model name {name!r}: it is a step of a path. Give the model a name of its own.")


def no_such_model(name: str) -> NotFound:
    """Return the error for a name that no living model bears."""
    return NotFound(f"Registered Model with name={name[:300]} not found.")
