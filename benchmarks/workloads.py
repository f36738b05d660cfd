"""What is asked of a registry under load: endless iterators of whole HTTP requests, the same for every contender.

The data are those of `seeding.py`. The random choices follow from the seed.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from urllib.parse import urlencode

from benchmarks.names import BATCH, BIG, VERSIONS_OF_A_MODEL, batch_of, model_name, run_id

PREFIX = "/api/2.0/mlflow"
PAGE = 100


class Asking:
    """Writes requests to one server about data with so many small models, with one of `tokens` where there are any."""

    def __init__(self, port: int, seed: str, *, models: int, page_token: str = "", tokens: Sequence[str] = ()) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.models = models
        # Where a page begins; without it the first one is asked for.
        self.page = {"page_token": page_token} if page_token else {}
        self.host = f"Host: 127.0.0.1:{port}\r\n"
        self.tokens = tokens

    def get(self, route: str, **query: object) -> bytes:
        """Return a GET request."""
        return f"GET {PREFIX}/{route}?{urlencode(query)} HTTP/1.1\r\n{self.head()}\r\n".encode()

    def post(self, route: str, **body: object) -> bytes:
        """Return a POST request with a JSON body."""
        content = json.dumps(body)
        head = f"POST {PREFIX}/{route} HTTP/1.1\r\n{self.head()}Content-Type: application/json\r\n"
        return f"{head}Content-Length: {len(content)}\r\n\r\n{content}".encode()

    def head(self) -> str:
        """Return the lines that every request has."""
        if not self.tokens:
            return self.host
        return f"{self.host}Authorization: Bearer {self.random.choice(self.tokens)}\r\n"

    def any_model(self) -> int:
        """Return the number of a random small model."""
        return self.random.randrange(self.models)

    def any_name(self) -> str:
        """Return the name of a random small model."""
        return model_name(self.any_model())

    def any_version(self) -> str:
        """Return the number of a random version of a small model."""
        return str(self.random.randint(1, VERSIONS_OF_A_MODEL))


def get_version(ask: Asking) -> Iterator[bytes]:
    """One version of a random model."""
    while True:
        yield ask.get("model-versions/get", name=ask.any_name(), version=ask.any_version())


def latest(ask: Asking) -> Iterator[bytes]:
    """The latest versions of a random model, which has ten."""
    while True:
        yield ask.post("registered-models/get-latest-versions", name=ask.any_name())


def latest_of_big(ask: Asking) -> Iterator[bytes]:
    """The latest versions of a model that has a thousand."""
    while True:
        yield ask.post("registered-models/get-latest-versions", name=BIG)


def search_models(ask: Asking) -> Iterator[bytes]:
    """One page of models, by name."""
    while True:
        yield ask.get("registered-models/search", max_results=PAGE, **ask.page)


def list_versions(ask: Asking) -> Iterator[bytes]:
    """One page of all versions, newest change first."""
    while True:
        yield ask.get("model-versions/search", max_results=PAGE, **ask.page)


def versions_by_run(ask: Asking) -> Iterator[bytes]:
    """The version of a random run."""
    while True:
        wanted = run_id(ask.any_model(), int(ask.any_version()))
        yield ask.get("model-versions/search", filter=f"run_id = '{wanted}'", max_results=PAGE)


def versions_by_tag(ask: Asking) -> Iterator[bytes]:
    """The ten versions that bear a random value of a tag."""
    while True:
        wanted = batch_of(ask.any_model())
        yield ask.get("model-versions/search", filter=f"tags.{BATCH} = '{wanted}'", max_results=PAGE)


def set_tag(ask: Asking) -> Iterator[bytes]:
    """A tag of a random version gets a new value."""
    while True:
        version = {"name": ask.any_name(), "version": ask.any_version()}
        yield ask.post("model-versions/set-tag", **version, key="touched", value=str(ask.random.random()))


def transition(ask: Asking) -> Iterator[bytes]:
    """A random version moves to a random stage, nothing is archived."""
    while True:
        version = {"name": ask.any_name(), "version": ask.any_version()}
        stage = ask.random.choice(("None", "Staging", "Production", "Archived"))
        yield ask.post("model-versions/transition-stage", **version, stage=stage, archive_existing_versions=False)


def create_model(ask: Asking) -> Iterator[bytes]:
    """A new model with a description and a tag."""
    tags = [{"key": "team", "value": "bench"}]
    for number in count():
        name = f"new-{ask.seed}-{number}"
        yield ask.post("registered-models/create", name=name, description="A new model.", tags=tags)


def create_version(ask: Asking) -> Iterator[bytes]:
    """A new version of a random model, whose files nobody looks at."""
    while True:
        made_by = f"{ask.random.randrange(1 << 128):032x}"
        source = f"s3://bucket/{made_by}/model"
        yield ask.post("model-versions/create", name=ask.any_name(), source=source, run_id=made_by)


def mixed(ask: Asking) -> Iterator[bytes]:
    """Nine reads to one write: six of ten reads get a version, three the latest ones, one finds a run's."""
    reads = [kind(ask) for kind in (get_version, latest, versions_by_run)]
    writes = [kind(ask) for kind in (set_tag, transition, create_version)]
    while True:
        if ask.random.random() < 0.1:
            yield next(ask.random.choice(writes))
        else:
            yield next(ask.random.choices(reads, weights=(6, 3, 1))[0])


Workload = Callable[[Asking], Iterator[bytes]]
WORKLOADS: dict[str, Workload] = {
    workload.__name__: workload
    for workload in (
        get_version,
        latest,
        latest_of_big,
        search_models,
        list_versions,
        versions_by_run,
        versions_by_tag,
        set_tag,
        transition,
        create_model,
        create_version,
        mixed,
    )
}
