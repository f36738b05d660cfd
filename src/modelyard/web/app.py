"""The WSGI application, put together from a process's runtime."""

from functools import cache
from urllib.parse import urlsplit

from flask import Flask

from modelyard.rules.hosts import LOOPBACK_NAMES
from modelyard.rules.versions import RegistrationMode
from modelyard.runtime import Runtime
from modelyard.settings import Settings
from modelyard.web.access_log import register_access_log
from modelyard.web.addresses import parse_networks
from modelyard.web.api import routes
from modelyard.web.errors import register_error_handlers
from modelyard.web.file_index import FileIndexes
from modelyard.web.guard import register_guard
from modelyard.web.holding import Holding
from modelyard.web.identity import Identity
from modelyard.web.routing import Routing
from modelyard.web.signing import Signer
from modelyard.web.site import EXTENSION, Site, SourceRules, UploadRules
from modelyard.web.ui import pages
from modelyard.web.ui.pages import actor_of_browser, register_pages
from modelyard.web.unread_bodies import register_drain


def create_app(runtime: Runtime) -> Flask:
    """Return the application that serves `runtime`."""
    app = Flask("modelyard.web", static_folder=None)
    table = routing()
    table.mount(app)
    app.config["MAX_CONTENT_LENGTH"] = runtime.settings.max_body_bytes
    app.extensions[EXTENSION] = create_site(runtime)
    register_access_log(app)
    register_drain(app)
    register_guard(app, open_endpoints=table.open_endpoints, actor_of_browser=actor_of_browser)
    routes.describe_in(app)
    register_pages(app)
    register_error_handlers(app)
    return app


@cache
def routing() -> Routing:
    """Return the routing table of the API and the pages, the same at each call."""
    return Routing.of((*routes.endpoints(), *pages.endpoints()))


def create_site(runtime: Runtime) -> Site:
    """Return the parts of `runtime` that handlers use."""
    settings = runtime.settings
    return Site(
        engine=runtime.engine,
        lifecycle=runtime.lifecycle,
        bell=runtime.bell,
        store=runtime.store,
        files=FileIndexes(runtime.store),
        sources=_source_rules(runtime),
        tracking=runtime.tracking,
        uploads=UploadRules(settings.max_upload_bytes, settings.upload_hours, runtime.trust_ms),
        download_redirects=settings.download_redirects,
        # The other threads stay free for reads, which must not wait behind copies.
        holding=Holding(settings.create_wait_s, places=max(1, settings.web_threads // 4)),
        identity=_identity(runtime),
        signer=Signer(runtime.secret_keys),
        public_url=runtime.public_url,
        allowed_hosts=_allowed_hosts(settings, runtime.public_url),
        trusted_proxies=parse_networks(settings.trusted_proxies),
        on_loopback=settings.on_loopback,
        max_pending_versions=settings.max_pending_versions,
        trash_ms=runtime.trash_ms,
        sweep_ms=int(settings.sweep_s * 1000),
    )


def _identity(runtime: Runtime) -> Identity:
    token = runtime.settings.admin_token
    return Identity(runtime.settings.auth_mode, token.get_secret_value() if token else None, runtime.engine)


def _source_rules(runtime: Runtime) -> SourceRules:
    settings = runtime.settings
    # Whoever may register could else read what only the tracking server's credentials can.
    guarded = settings.auth_mode == "token" and bool(
        settings.tracking_token or settings.tracking_username or settings.tracking_password
    )
    return SourceRules(
        mode=RegistrationMode(settings.registration),
        roots=runtime.roots,
        buckets=runtime.buckets,
        tracking_configured=runtime.tracking is not None,
        runs_permitted=settings.tracking_shared or not guarded,
    )


def _allowed_hosts(settings: Settings, public_url: str) -> frozenset[str]:
    if settings.allowed_hosts:
        return frozenset(name.lower().strip("[]").rstrip(".") for name in settings.allowed_hosts)
    known = {settings.host.lower().strip("[]"), urlsplit(public_url).hostname or ""}
    return LOOPBACK_NAMES | (known - {""})
