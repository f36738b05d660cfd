"""`modelyard login-link`: an address that signs a browser in once, for whoever has no token at hand."""

from modelyard.console.own_database import looking
from modelyard.errors import ConfigurationError, InvalidState
from modelyard.registry.principals import require_account
from modelyard.rules.principals import ADMIN
from modelyard.runtime import secret_keys
from modelyard.settings import Settings
from modelyard.web.signing import LOGIN_LINK_LIFE_S, Signer


def login_link(settings: Settings, name: str) -> str:
    """Return the address by which `name` signs in, within ten minutes and once.

    Raises NotFound, InvalidState for an account that is not let in, ConfigurationError without the servers' key.
    """
    keys = secret_keys(settings, generate=False)
    if not keys:
        raise ConfigurationError(
            "There is no secret key yet. Start the server once, or set MODELYARD_SECRET_KEY to its."
        )
    if name != ADMIN:
        with looking() as session:
            account = require_account(session, name)
            if account.disabled_at_ms is not None or account.builtin:
                raise InvalidState(f"{name!r} cannot sign in to pages.")
            name = account.name
    return Signer(keys).login_address(settings.public_url or settings.address, name)


def told(link: str) -> str:
    """Return what is printed beside a link."""
    return f"{link}\nIt signs one browser in, once, within {LOGIN_LINK_LIFE_S // 60} minutes."
