"""The route that returns a model's previous Production set, in the native API."""

from typing import Annotated

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import transaction
from modelyard.registry.rollbacks import roll_back
from modelyard.rules.stages import Stage
from modelyard.web.api.arguments import Flag, Text
from modelyard.web.api.care import NamedModel
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class RollBack(NamedModel):
    """What a roll back is told."""

    dry_run: Flag = Field(True, description="Only say what it would do.")
    comment: Text = Field("", description="Stands in the activity of each version.", examples=["Too slow."])


class RollbackMove(TypedDict):
    """One version's way."""

    version: int
    from_stage: Stage
    to_stage: Stage


class LeftVersion(TypedDict):
    """A version that was in Production and cannot return."""

    version: int
    message: Annotated[str, Field(description="Why it cannot.")]


class RollbackAnswer(TypedDict):
    """What a roll back did, or would do."""

    name: str
    dry_run: bool
    undone_at_ms: Annotated[int, Field(description="When the change was made that it undoes.")]
    moves: list[RollbackMove]
    left: list[LeftVersion]
    production: Annotated[list[int], Field(description="The versions in Production afterwards.")]


def roll_back_model(asked: RollBack) -> RollbackAnswer:
    """Return the Production set from before its last change, in one transaction, or say what that would do."""
    with transaction(site().engine) as session:
        found = roll_back(session, current_actor(), asked.name, dry_run=asked.dry_run, comment=asked.comment)
    return {
        "name": asked.name,
        "dry_run": asked.dry_run,
        "undone_at_ms": found.undone_at_ms,
        "moves": [
            {"version": move.version, "from_stage": move.from_stage, "to_stage": move.to_stage} for move in found.moves
        ],
        "left": [{"version": number, "message": reason} for number, reason in found.left.items()],
        "production": list(found.production),
    }
