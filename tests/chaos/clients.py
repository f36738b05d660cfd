"""Clients that register through a storm, and remember what was acknowledged."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import urllib3

from tests.chaos.house import House
from tests.chaos.sources import Source

PATIENCE_S: Final = 20
_AGAIN: Final = frozenset({429, 503})


@dataclass
class Registration:
    """One wish of a client. `token` is the version's description; `version` is known once it is acknowledged."""

    token: str
    model: str
    source: Source
    version: str | None = None


class Client(threading.Thread):
    """Registers one version after another, each under an Idempotency-Key until it is acknowledged.

    Has two models: versions of the second one are also promoted, and those in their way archived.
    """

    def __init__(self, house: House, number: int, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"client-{number}")
        self.wishes: list[Registration] = []
        self.surprises: Counter[str] = Counter()
        self.tries = 0
        self._models = [f"still-{number}", f"moving-{number}"]
        self._rng = random.Random(f"{seed}/{number}")
        self._house = house
        self._halt = stop
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=25))

    @property
    def acknowledged(self) -> list[Registration]:
        """What it was told is registered."""
        return [wish for wish in self.wishes if wish.version is not None]

    def run(self) -> None:
        """Register until the stop event is set."""
        for name in self._models:
            self._insist("registered-models/create", {"name": name}, f"model-{name}", accepted=(200, 400))
        while not self._halt.is_set():
            self._register(self._rng.choice(self._models))
            if self._rng.random() < 0.15:
                self._promote()
            self._halt.wait(self._rng.uniform(0.05, 0.30))
        self._http.clear()

    def _register(self, model: str) -> None:
        source = self._house.sources.draw(self._rng)
        wish = Registration(f"{self.name}-{len(self.wishes)}", model, source)
        self.wishes.append(wish)
        body = {"name": model, "source": str(source.folder), "description": wish.token}
        answer = self._insist("model-versions/create", body, wish.token)
        if answer is not None:
            wish.version = answer.json()["model_version"]["version"]

    def _promote(self) -> None:
        moving = [wish for wish in self.acknowledged if wish.model == self._models[1] and wish.source.doom is None]
        if not moving:
            return
        chosen = self._rng.choice(moving[-5:])
        body = {"name": chosen.model, "version": chosen.version, "stage": "Production"}
        body |= {"archive_existing_versions": True}
        # A version that is not READY is refused by 400. Sent once: a stage is not moved by repeating the wish.
        self._try("model-versions/transition-stage", body, key=None, accepted=(200, 400))

    def _insist(
        self, route: str, body: dict[str, object], key: str, accepted: tuple[int, ...] = (200,)
    ) -> urllib3.BaseHTTPResponse | None:
        """Send a request until it is answered; None when the storm is long over and there is still no answer."""
        over_s = None
        while True:
            answer = self._try(route, body, key, accepted)
            if answer is not None:
                return answer
            if self._halt.is_set():
                over_s = over_s or time.monotonic() + PATIENCE_S
                if time.monotonic() > over_s:
                    return None
            time.sleep(self._rng.uniform(0.05, 0.3))

    def _try(
        self, route: str, body: dict[str, object], key: str | None, accepted: tuple[int, ...]
    ) -> urllib3.BaseHTTPResponse | None:
        """Send a request once to any of the web servers; None unless the answer's status is accepted."""
        self.tries += 1
        url = f"{self._rng.choice(self._house.urls)}/api/2.0/mlflow/{route}"
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = self._http.request("POST", url, json=body, headers=headers)
        except urllib3.exceptions.HTTPError:
            return None
        if answer.status in accepted:
            return answer
        if answer.status not in _AGAIN:
            self.surprises[f"{route}: {answer.status} {answer.data.decode(errors='replace')[:200]}"] += 1
        return None
