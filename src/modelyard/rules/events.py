"""What the world outside may be told of, in the words of Databricks' registry webhooks. No I/O.

An event is kept once, under its general name; who delivers it adds the particular one of its target stage.
Source: contracts/databricks.md 2.7 and 3.
"""

from enum import StrEnum

from modelyard.rules.stages import Stage


class RegistryEvent(StrEnum):
    """Something that happened in the registry."""

    MODEL_CREATED = "REGISTERED_MODEL_CREATED"
    VERSION_CREATED = "MODEL_VERSION_CREATED"
    TRANSITIONED = "MODEL_VERSION_TRANSITIONED_STAGE"
    REQUEST_CREATED = "TRANSITION_REQUEST_CREATED"
    COMMENT_CREATED = "COMMENT_CREATED"
    TAG_SET = "MODEL_VERSION_TAG_SET"


def particular_name(event: RegistryEvent, to_stage: Stage | None) -> str | None:
    """Return the second name that an event has because of its target stage; None has none."""
    if to_stage is None or to_stage is Stage.NONE:
        return None
    match event:
        case RegistryEvent.TRANSITIONED:
            return f"MODEL_VERSION_TRANSITIONED_TO_{to_stage.upper()}"
        case RegistryEvent.REQUEST_CREATED:
            return f"TRANSITION_REQUEST_TO_{to_stage.upper()}_CREATED"
        case _:
            return None
