"""How many bytes the registry and its models take, and how many of them are shared."""

from flask import Response

from modelyard.database.session import reading
from modelyard.registry.registered_models import read_registered_model
from modelyard.registry.usage import largest_models, model_usage, registry_usage
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import query
from modelyard.web.ui.frame import page

_SHOWN_MODELS = 25


def show() -> Response:
    """Show what the store holds to administrators, and the models that take most to everybody who may see them."""
    name = query("model")
    with reading(site().engine) as session:
        chosen = None
        if name:
            model = read_registered_model(session, current_actor(), name)
            chosen = model_usage(session, model.id, current_actor())
        whole = registry_usage(session) if current_actor().is_admin else None
        models = largest_models(session, current_actor(), limit=_SHOWN_MODELS)
    return page("usage.html", title="Storage", section="usage", name=name, chosen=chosen, whole=whole, models=models)
