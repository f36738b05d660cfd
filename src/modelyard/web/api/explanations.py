"""The route that says why somebody may do what with a model."""

from typing import Annotated, Literal

from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.registry import permissions as registry
from modelyard.registry.principals import label
from modelyard.rules.permissions import NEEDED, allows
from modelyard.web.api.arguments import Required, StrictArguments
from modelyard.web.identity import current_actor
from modelyard.web.site import site


class Reason(TypedDict):
    """A permission that counts."""

    level: str
    holder: Annotated[str, Field(description="Who holds it, with its kind.")]
    object: Annotated[Literal["model", "root"], Field(description="On what; the root's every model inherits.")]


class AbilityAnswer(TypedDict):
    """Something that can be done with a model."""

    ability: str
    needs: str
    allowed: bool


class ExplanationAnswer(TypedDict):
    """What a user, service principal or group may do with a model, and why. A token may allow less."""

    model: str
    principal: str
    level: Annotated[str | None, Field(description="The highest of the reasons' levels; null for none.")]
    reasons: list[Reason]
    abilities: list[AbilityAnswer]


class Explain(StrictArguments):
    """Who is asked about, and which model."""

    model: Required = Field(examples=["house-prices"])
    principal: Required = Field(
        description="Name of a user or group, or an application id.", examples=["ann@example.com"]
    )


def explain(asked: Explain) -> ExplanationAnswer:
    """Say what somebody may do with a model, and by which permissions."""
    with reading(site().engine) as session:
        found = registry.explain(session, current_actor(), asked.model, asked.principal)
        return {
            "model": asked.model,
            "principal": label(found.principal),
            "level": found.level,
            "reasons": [
                {
                    "level": held.level,
                    "holder": label(held.principal),
                    "object": "root" if held.inherited else "model",
                }
                for held in found.held
            ],
            "abilities": [
                {"ability": ability, "needs": needed, "allowed": allows(found.level, ability)}
                for ability, needed in NEEDED.items()
            ],
        }
