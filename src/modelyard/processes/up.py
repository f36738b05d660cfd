"""`modelyard up`: everything on one machine, under one supervisor."""

import json
import os
import socket
import sys
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic import SecretStr

from modelyard.processes.beginning import Beginning
from modelyard.processes.children import Part
from modelyard.processes.embedded_broker import bind_broker, broker_url, serve_broker
from modelyard.processes.listening import Listeners, web_url
from modelyard.processes.preflight import check_start
from modelyard.processes.supervisor import StartPart, Supervisor
from modelyard.processes.valkey_broker import ValkeyBroker
from modelyard.processes.web import web_parts
from modelyard.rules.jobs import QUEUES
from modelyard.rules.principals import ADMIN
from modelyard.runtime import secret_keys
from modelyard.settings import Settings
from modelyard.web.signing import LOGIN_LINK_LIFE_S, Signer
from modelyard.worker.main import preload, run_worker, worker_hooks

PLAN: Final = "MODELYARD_PLAN"
"""Environment variable that hands a spawned child what `up` decided when it started."""


def up(settings: Settings, beginning: Beginning, *, start: StartPart | None = None) -> int:
    """Run the whole system until TERM; return the exit status.

    Raises ConfigurationError with one line that says what to change when the database or the store cannot be used.
    """
    plan = Plan.make(settings, beginning.web)
    preload()
    beginning.wait_for_schema()
    check_start(plan.settings)
    plan.hand_down()
    return Supervisor(plan.parts(), start=start).run(
        on_started=lambda: print(plan.welcome() + _first_visit(plan), flush=True)
    )


def run_part(settings: Settings, name: str) -> Part:
    """Return the part called `name`, in a process that `up` spawned."""
    return next(part for part in Plan.handed_down(settings).parts() if part.name == name)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `up` decided: the settings of its parts and their sockets; at most one of `broker` and `valkey` is ours."""

    settings: Settings
    web: Listeners
    broker: socket.socket | None = None
    valkey: ValkeyBroker | None = None

    @classmethod
    def make(cls, settings: Settings, web: Listeners) -> "Plan":
        """Choose a broker, and bind it if it is to run in one of our own processes."""
        settings = settings.model_copy(update={"port": web.port})
        if settings.broker_url is not None:
            return cls(settings, web)
        if valkey := ValkeyBroker.for_home(settings.home):
            return cls(_with_broker(settings, valkey.url), web, valkey=valkey)
        broker = bind_broker()
        return cls(_with_broker(settings, broker_url(broker)), web, broker=broker)

    def hand_down(self) -> None:
        """Leave in the environment what a spawned child needs; a forked one does not look."""
        os.environ[PLAN] = json.dumps(
            {
                "port": self.settings.port,
                "web": [each.fileno() for each in self.web.sockets],
                "broker": self.broker.fileno() if self.broker else None,
                "valkey": self.valkey is not None,
            }
        )

    @classmethod
    def handed_down(cls, settings: Settings) -> "Plan":
        """Build the plan again from the environment and the inherited sockets."""
        plan = json.loads(os.environ[PLAN])
        web = Listeners(tuple(socket.socket(fileno=number) for number in plan["web"]))
        settings = settings.model_copy(update={"port": plan["port"]})
        if plan["valkey"] and (valkey := ValkeyBroker.for_home(settings.home)):
            return cls(_with_broker(settings, valkey.url), web, valkey=valkey)
        if plan["broker"] is not None:
            broker = socket.socket(fileno=plan["broker"])
            return cls(_with_broker(settings, broker_url(broker)), web, broker=broker)
        return cls(settings, web)

    def parts(self) -> list[Part]:
        """Return the parts in the order in which they are needed."""
        return [
            *self._broker_parts(),
            self._worker(),
            *web_parts(self.settings, self.web),
        ]

    @property
    def url(self) -> str:
        """The address at which people and clients find us, without a slash at its end."""
        return (self.settings.public_url or web_url(self.web, self.settings.host)).rstrip("/")

    def welcome(self) -> str:
        """Return what a person reads once everything has started."""
        listening = web_url(self.web, self.settings.host)
        url = self.url
        tracking = self.settings.tracking_uri
        known = "" if tracking else " (name it in MODELYARD_TRACKING_URI when you start Modelyard)"
        token = "any" if self.settings.auth_mode == "none" else "YOUR-TOKEN"
        needs_token = "" if self.settings.auth_mode == "none" else " and MLFLOW_TRACKING_TOKEN in the environment"
        return f"""\
Modelyard listens on {listening}
Data lies in {self.settings.home}. Ctrl-C stops it.

Clients with a tracking server{known}{needs_token}:
    import mlflow
    mlflow.set_tracking_uri("{tracking or "http://YOUR-TRACKING-SERVER"}")
    mlflow.set_registry_uri("{url}")
Clients without one, which upload their files:
    import mlflow, os
    os.environ.update(DATABRICKS_HOST="{url}", DATABRICKS_TOKEN="{token}")
    mlflow.set_registry_uri("databricks")
"""

    def _broker_parts(self) -> list[Part]:
        if self.valkey:
            return [Part("broker", self.valkey.serve, ready=self.valkey.ready, outlives_others=True)]
        if self.broker:
            return [Part("broker", partial(serve_broker, self.broker), outlives_others=True)]
        return []

    def _worker(self) -> Part:
        concurrency = self.settings.fast_concurrency + self.settings.copy_concurrency

        def run() -> None:
            hooks = worker_hooks(self.settings, queues=QUEUES, concurrency=concurrency)
            run_worker(self.settings, queues=QUEUES, concurrency=concurrency, hooks=hooks)

        # The worker ends its own children when its grace is over; ours begins after that.
        return Part("worker", run, grace_s=self.settings.drain_s + 5)


def _first_visit(plan: Plan) -> str:
    """Return what lets the person before this terminal in; nothing for a file or a journal, which others read."""
    if plan.settings.auth_mode == "none" or not sys.stdout.isatty():
        return ""
    keys = secret_keys(plan.settings, generate=False)
    address = Signer(keys).login_address(plan.url, ADMIN)
    return f"Sign in as the administrator, once, within {LOGIN_LINK_LIFE_S // 60} minutes:\n    {address}\n"


def _with_broker(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"broker_url": SecretStr(url)})
