"""Four people at work with databricks-sdk: an owner, a reader, a staging manager, an administrator.

Standard input: JSON with `host`, `source` and `tokens` (person -> token). Standard output: JSON with what the client
objects say, what was refused and how, and which methods of `model_registry` there are and were called.
"""

import json
import sys
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import ml

MODEL = "fraud"
called = set()


class Registry:
    """`model_registry` of one person; remembers what was called and reads lists to their end."""

    def __init__(self, client):
        self.registry = client.model_registry

    def __getattr__(self, method):
        def call(*arguments, **named):
            called.add(method)
            answer = getattr(self.registry, method)(*arguments, **named)
            return list(answer) if hasattr(answer, "__next__") else answer

        return call


def stage(word, kind="Stage"):
    """A stage as this release wants it: old ones have enums, newer ones words."""
    return getattr(ml, kind)(word) if hasattr(ml, kind) else word


def word(value):
    """An answer's enum or word, as a word."""
    return getattr(value, "value", value)


def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except DatabricksError as error:
        return type(error).__name__
    return "allowed"


def ready(registry, version):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        found = registry.get_model_version(MODEL, version).model_version
        if word(found.status) != "PENDING_REGISTRATION":
            return found
        time.sleep(0.1)
    raise TimeoutError(f"Version {version} is still PENDING_REGISTRATION.")


def levels(permissions):
    """Who holds what directly."""
    return {
        entry.user_name or entry.group_name: word(one.permission_level)
        for entry in permissions.access_control_list
        for one in entry.all_permissions
        if not one.inherited
    }


def main():
    given = json.load(sys.stdin)
    clients = {person: WorkspaceClient(host=given["host"], token=token) for person, token in given["tokens"].items()}
    owner, reader, staging, admin = (Registry(clients[name]) for name in ("owner", "reader", "staging", "admin"))
    told, no = {}, {}

    # Who they are.
    told["me"] = {person: client.current_user.me().user_name for person, client in clients.items()}
    told["admin groups"] = [group.display for group in clients["admin"].current_user.me().groups]
    no["no such token"] = refused(WorkspaceClient(host=given["host"], token="wrong").current_user.me)

    # The owner registers.
    model = owner.create_model(MODEL, description="d", tags=[ml.ModelTag(key="team", value="risk")]).registered_model
    told["created"] = [model.name, model.user_id]
    for _ in range(3):
        version = owner.create_model_version(MODEL, given["source"]).model_version.version
        told[f"version {version}"] = word(ready(owner, version).status)
    owner.update_model(MODEL, description="finds fraud")
    owner.update_model_version(MODEL, "1", description="the first")
    owner.set_model_tag(MODEL, "colour", "blue")
    owner.delete_model_tag(MODEL, "team")
    owner.set_model_version_tag(MODEL, "1", "shape", "round")
    owner.delete_model_version_tag(MODEL, "1", "shape")

    # Others find nothing of it, until they may read it.
    told["found by the reader before"] = [one.name for one in reader.search_models() + reader.list_models()]
    no["get, before"] = refused(reader.get_model, MODEL)
    no["taken name"] = refused(reader.create_model, MODEL)
    databricks = owner.get_model(MODEL).registered_model_databricks
    model_id = databricks.id
    told["owner's level"] = word(databricks.permission_level)
    told["description"] = databricks.description
    told["tags"] = {tag.key: tag.value for tag in databricks.tags}
    request = ml.RegisteredModelAccessControlRequest
    level = ml.RegisteredModelPermissionLevel
    people = told["me"]
    owner.set_permissions(
        model_id,
        access_control_list=[
            request(user_name=people["owner"], permission_level=level.CAN_MANAGE),
            request(user_name=people["reader"], permission_level=level.CAN_READ),
        ],
    )
    owner.update_permissions(
        model_id,
        access_control_list=[request(user_name=people["staging"], permission_level=level.CAN_MANAGE_STAGING_VERSIONS)],
    )
    told["levels"] = levels(owner.get_permissions(model_id))
    told["seen by the reader"] = levels(reader.get_permissions(model_id))
    described = owner.get_permission_levels(model_id).permission_levels
    told["described"] = [word(one.permission_level) for one in described]
    told["the same by w.permissions"] = levels(clients["owner"].permissions.get("registered-models", model_id))
    told["found by the reader"] = [one.name for one in reader.search_models(filter=f"name = '{MODEL}'")]
    told["versions found by the reader"] = sorted(
        one.version for one in reader.search_model_versions(filter=f"name = '{MODEL}'")
    )
    told["download"] = reader.get_model_version_download_uri(MODEL, "1").artifact_uri

    # The reader may look, ask and talk.
    no["reader moves"] = refused(reader.transition_stage, MODEL, "1", stage("Staging"), False)
    no["reader describes"] = refused(reader.update_model, MODEL, description="x")
    no["reader describes a version"] = refused(reader.update_model_version, MODEL, "1", description="x")
    no["reader tags"] = refused(reader.set_model_tag, MODEL, "k", "v")
    no["reader tags a version"] = refused(reader.set_model_version_tag, MODEL, "1", "k", "v")
    no["reader registers"] = refused(reader.create_model_version, MODEL, given["source"])
    no["reader renames"] = refused(reader.rename_model, MODEL, new_name="x")
    no["reader deletes"] = refused(reader.delete_model, MODEL)
    no["reader deletes a version"] = refused(reader.delete_model_version, MODEL, "1")
    no["reader permits"] = refused(reader.update_permissions, model_id, access_control_list=[])
    asked = reader.create_transition_request(MODEL, "2", stage("Production"), comment="please").request
    told["asked"] = [word(asked.to_stage), asked.user_id, asked.comment]
    no["reader approves"] = refused(reader.approve_transition_request, MODEL, "2", stage("Production"), False)
    said = reader.create_comment(MODEL, "2", "looks good").comment
    said = reader.update_comment(said.id, "looks very good").comment
    told["said"] = [said.comment, said.user_id]
    no["another's words"] = refused(owner.update_comment, said.id, "x")

    # The staging manager moves below Production only.
    moved = staging.transition_stage(MODEL, "1", stage("Staging"), False, comment="try it")
    moved = getattr(moved, "model_version_databricks", None) or moved.model_version
    told["moved"] = [word(moved.current_stage), word(moved.permission_level)]
    no["staging approves Production"] = refused(
        staging.approve_transition_request, MODEL, "2", stage("Production"), False
    )
    no["staging rejects Production"] = refused(staging.reject_transition_request, MODEL, "2", stage("Production"))
    no["staging deletes another's words"] = refused(staging.delete_comment, said.id)
    reader.create_transition_request(MODEL, "3", stage("Archived"))
    rejected = staging.reject_transition_request(MODEL, "3", stage("Archived"), comment="not yet").activity
    told["rejected"] = [word(rejected.activity_type), rejected.user_id, rejected.comment]
    cancelled_stage = stage("Archived", "DeleteTransitionRequestStage")
    staging.create_transition_request(MODEL, "3", stage("Archived"))
    no["another's request"] = refused(reader.delete_transition_request, MODEL, "3", cancelled_stage, people["staging"])
    staging.delete_transition_request(MODEL, "3", cancelled_stage, people["staging"])
    told["open for 3"] = len(staging.list_transition_requests(MODEL, "3"))
    no["cancelled twice"] = refused(staging.delete_transition_request, MODEL, "3", cancelled_stage, people["staging"])

    # The owner decides.
    told["open for 2"] = [[one.user_id, word(one.to_stage)] for one in owner.list_transition_requests(MODEL, "2")]
    owner.transition_stage(MODEL, "1", stage("Production"), False)
    approved = owner.approve_transition_request(MODEL, "2", stage("Production"), True, comment="go").activity
    told["approved"] = [word(approved.activity_type), word(approved.from_stage), word(approved.to_stage)]
    told["open afterwards"] = len(owner.list_transition_requests(MODEL, "2"))
    told["stages"] = {
        one.version: word(one.current_stage) for one in reader.search_model_versions(filter=f"name = '{MODEL}'")
    }
    told["latest"] = [one.version for one in reader.get_latest_versions(MODEL, stages=["Production"])]
    no["approved twice"] = refused(owner.approve_transition_request, MODEL, "2", stage("Production"), False)
    no["nonsense"] = refused(owner.get_latest_versions, MODEL, stages=["Nowhere"])
    no["in Production"] = refused(owner.delete_model, MODEL)

    # The administrator may do everything, by no entry of theirs.
    told["administrator's level"] = word(admin.get_model(MODEL).registered_model_databricks.permission_level)
    admin.delete_comment(said.id)
    no["no such comment"] = refused(admin.delete_comment, said.id)
    admin.transition_stage(MODEL, "2", stage("Archived"), False)
    renamed = admin.rename_model(MODEL, new_name="fraud-2").registered_model
    told["renamed"] = renamed.name
    admin.delete_model_version("fraud-2", "1")
    admin.delete_model("fraud-2")
    told["found at last"] = [one.name for one in admin.list_models()]
    no["gone"] = refused(owner.get_model, "fraud-2")
    no["gone, by id"] = refused(owner.get_permissions, model_id)

    methods = {name for name in dir(ml.ModelRegistryAPI) if not name.startswith("_")}
    print(json.dumps({"told": told, "no": no, "methods": sorted(methods), "called": sorted(called)}))


main()
