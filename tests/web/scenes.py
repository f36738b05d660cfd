"""Scenes: a model with one READY version of its own, and one person who holds a level on it, in a moment.

The versions of all scenes have the same files, so that none of them has to be copied.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

from sqlmodel import Session

from modelyard.database.session import transaction
from modelyard.registry.access import Actor
from modelyard.registry.candidates import Selection
from modelyard.registry.comments import create_comment
from modelyard.registry.groups import create_group
from modelyard.registry.model_versions import create_model_version, delete_model_version
from modelyard.registry.permissions import WantedLevel, update_permissions
from modelyard.registry.plans import ask_for_plan
from modelyard.registry.principals import require_account
from modelyard.registry.registered_models import create_registered_model, delete_registered_model
from modelyard.registry.registration import NewVersion, origin_of
from modelyard.registry.tokens import create_token
from modelyard.registry.transition_requests import create_transition_request
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.registry.users import create_service_principal, create_user
from modelyard.rules.permissions import Level
from modelyard.rules.plans import PlanAction, Rule
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import Stage
from modelyard.rules.tokens import UNLIMITED
from modelyard.rules.versions import RegistrationMode
from modelyard.web.signing import FileLink
from tests.web.yards import CONSOLE, UPLOADS, Yard

BYSTANDER = "bystander"
ADMINISTRATOR = "administrator"
# A level, nothing at all, or an administrator, who holds nothing by name.
Holder = Level | str | None


class Theatre:
    """A yard with locked doors in which scenes are set."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.numbers = count(1)
        yard.person(BYSTANDER)
        self.callers: dict[Holder, tuple[str, str]] = {}
        for holder in (None, *Level, ADMINISTRATOR):
            name = f"caller-{(holder or 'nothing').lower().replace('_', '-')}"
            groups = ["admins"] if holder == ADMINISTRATOR else []
            self.callers[holder] = name, yard.person(name, *groups)
        yard.token = yard.person("owner")
        yard.ready("seed")
        files = yard.call("GET", "/api/v1/models/seed/versions/1/files")["files"]
        (self.digest,) = [file["sha256"] for file in files if file["path"] == "MLmodel"]

    def scene(self, holder: Holder, given: tuple[str, ...] = ()) -> dict[str, str]:
        """Set a scene for whoever holds this; return what texts of requests are filled in with."""
        name = f"model-{next(self.numbers):05d}"
        caller, _ = self.callers[holder]
        wish = NewVersion(name=name, source="models:/seed/1")
        origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda source: None)
        with transaction(self.yard.engine) as session:
            model = create_registered_model(session, CONSOLE, name)
            version = create_model_version(session, CONSOLE, wish, origin, lifecycle=self.yard.runtime.lifecycle)
            if isinstance(holder, Level):
                wanted = WantedLevel(PrincipalKind.USER, caller, holder)
                update_permissions(session, CONSOLE, model.public_id, [wanted])
            scene = {
                "m": name,
                "caller": caller,
                "bystander": BYSTANDER,
                "id": model.public_id,
                "model_row": str(model.id),
                "version_id": version.public_id,
                "source": f"models:/{name}/1",
                "folder": str(self.yard.model_folder()),
                "uploads": UPLOADS,
            }
        for event in given:
            scene |= self._events()[event](scene)
        return scene

    def token_of(self, holder: Holder) -> str:
        """Return the token of whoever holds this."""
        return self.callers[holder][1]

    def _events(self) -> dict[str, Callable[[dict[str, str]], dict[str, str]]]:
        return {
            "in_production": lambda scene: self._do(self._move, scene, Stage.PRODUCTION),
            "wish": lambda scene: self._do(self._wish, scene, BYSTANDER, Stage.STAGING),
            "own_wish": lambda scene: self._do(self._wish, scene, scene["caller"], Stage.STAGING),
            "production_wish": lambda scene: self._do(self._wish, scene, BYSTANDER, Stage.PRODUCTION),
            "comment": lambda scene: self._do(self._comment, scene, BYSTANDER, "comment"),
            "own_comment": lambda scene: self._do(self._comment, scene, scene["caller"], "own_comment"),
            "job": lambda scene: self._job(scene, "job", status="QUEUED"),
            "failed_job": lambda scene: self._job(scene, "job", status="FAILED"),
            "trashed": lambda scene: self._do(self._delete, scene),
            "trashed_version": lambda scene: self._do(self._delete_version, scene),
            "plan": lambda scene: self._do(self._plan, scene, BYSTANDER),
            "own_plan": lambda scene: self._do(self._plan, scene, scene["caller"]),
            "person": lambda scene: self._do(self._person, scene),
            "group": lambda scene: self._do(self._group, scene),
            "program": lambda scene: self._do(self._program, scene),
            "token": lambda scene: self._do(self._token, scene, BYSTANDER, "token"),
            "own_token": lambda scene: self._do(self._token, scene, scene["caller"], "own_token"),
            "signature": self._signature,
        }

    def _do(self, happen: Callable[..., dict[str, str]], scene: dict[str, str], *arguments: Any) -> dict[str, str]:
        with transaction(self.yard.engine) as session:
            return happen(session, scene, *arguments)

    def _move(self, session: Session, scene: dict[str, str], to: Stage) -> dict[str, str]:
        queue = self.yard.runtime.lifecycle.queue
        transition_model_version_stage(session, CONSOLE, scene["m"], 1, to=to, archive_existing=False, queue=queue)
        return {}

    def _wish(self, session: Session, scene: dict[str, str], who: str, to: Stage) -> dict[str, str]:
        # Whoever held the model then and holds less of it now.
        create_transition_request(session, Actor(who, is_admin=True), scene["m"], 1, to=to)
        return {}

    def _comment(self, session: Session, scene: dict[str, str], who: str, key: str) -> dict[str, str]:
        return {key: str(create_comment(session, Actor(who, is_admin=True), scene["m"], 1, "said").id)}

    def _job(self, scene: dict[str, str], key: str, **columns: Any) -> dict[str, str]:
        return {key: str(self.yard.add_job(model_id=int(scene["model_row"]), **columns))}

    def _delete(self, session: Session, scene: dict[str, str]) -> dict[str, str]:
        delete_registered_model(session, CONSOLE, scene["m"], lifecycle=self.yard.runtime.lifecycle)
        return {"trashed": scene["id"]}

    def _delete_version(self, session: Session, scene: dict[str, str]) -> dict[str, str]:
        lifecycle = self.yard.runtime.lifecycle
        wish = NewVersion(name=scene["m"], source="models:/seed/1")
        origin = origin_of(wish, mode=RegistrationMode.COPY, vet=lambda source: None)
        second = create_model_version(session, CONSOLE, wish, origin, lifecycle=lifecycle)
        delete_model_version(session, CONSOLE, scene["m"], second.version, lifecycle=lifecycle)
        return {}

    def _plan(self, session: Session, scene: dict[str, str], who: str) -> dict[str, str]:
        # Whoever held the model then and holds less of it now.
        actor, selection = Actor(who, is_admin=True), Selection(filter=f"name = '{scene['m']}'")
        queue = self.yard.runtime.lifecycle.queue
        plan = ask_for_plan(session, actor, Rule(PlanAction.ARCHIVE), selection, then_execute=False, queue=queue)
        return {"plan": plan.public_id, "digest": plan.digest or ""}

    def _person(self, session: Session, scene: dict[str, str]) -> dict[str, str]:
        return {"person": str(create_user(session, CONSOLE, f"person-{scene['m']}").id)}

    def _group(self, session: Session, scene: dict[str, str]) -> dict[str, str]:
        return {"group": str(create_group(session, CONSOLE, f"group-{scene['m']}").id)}

    def _program(self, session: Session, scene: dict[str, str]) -> dict[str, str]:
        application = f"00000000-0000-4000-8000-{int(scene['m'][6:]):012d}"
        program = create_service_principal(session, CONSOLE, application)
        return {"program": str(program.id), "application": application}

    def _token(self, session: Session, scene: dict[str, str], who: str, key: str) -> dict[str, str]:
        token, _ = create_token(session, CONSOLE, require_account(session, who), UNLIMITED, lifetime_s=3600)
        return {key: token.public_id}

    def _signature(self, scene: dict[str, str]) -> dict[str, str]:
        link = FileLink(scene["version_id"], self.digest, scene["caller"])
        return {"signature": self.yard.site.signer.sign_link(link)}
