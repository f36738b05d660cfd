"""What both Dockerfiles promise."""

import json

import pytest

from tests.dockerfiles import CHECKOUT, stages_of, values_of

DOCKERFILES = ("web.Dockerfile", "worker.Dockerfile")


def test_both_images_are_built_by_the_same_first_stage() -> None:
    web, worker = (stages_of(name) for name in DOCKERFILES)

    assert web[0] == worker[0]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_without_root_and_says_whether_it_is_well(name: str) -> None:
    final = stages_of(name)[-1]
    part = name.split(".")[0]

    assert values_of(final, "USER") == ["10001:10001"]
    assert values_of(final, "HEALTHCHECK")[0].endswith(f'CMD ["modelyard", "health", "{part}"]')
    assert json.loads(values_of(final, "ENTRYPOINT")[0]) + json.loads(values_of(final, "CMD")[0]) == ["modelyard", part]


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        word.rstrip("/") for rest in values_of(stages_of("web.Dockerfile")[0], "COPY") for word in rest.split()[:-1]
    }

    assert "*" in ignored
    assert copied == kept
