"""What somebody may do with a model, so that pages offer nothing that would only be refused."""

from dataclasses import dataclass

from sqlmodel import Session

from modelyard.database.tables import RegisteredModel
from modelyard.registry import access
from modelyard.rules.permissions import Ability, Level, allows
from modelyard.rules.tokens import Scope, scope_includes
from modelyard.web.identity import current_actor


@dataclass(frozen=True, slots=True)
class Rights:
    """The level that somebody holds, and whether their token lets them change anything at all."""

    level: Level | None
    may_write: bool

    @property
    def edit(self) -> bool:
        """Whether descriptions, tags and aliases may be changed, and versions added."""
        return self._may(Ability.DESCRIBE)

    @property
    def manage(self) -> bool:
        """Whether versions and the model may be deleted, and permissions changed."""
        return self._may(Ability.DELETE_MODEL)

    @property
    def comment(self) -> bool:
        """Whether comments may be written."""
        return self._may(Ability.COMMENT)

    def _may(self, ability: Ability) -> bool:
        return self.may_write and allows(self.level, ability)


def rights_on(session: Session, model: RegisteredModel) -> Rights:
    """Return what the caller may do with a model."""
    actor = current_actor()
    return Rights(access.level_of(session, actor, model), scope_includes(actor.limits.scope, Scope.WRITE))
