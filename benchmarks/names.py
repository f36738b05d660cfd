"""The names in the data of `registry.py`, which follow from numbers, so that no list of them is needed."""

VERSIONS_OF_A_MODEL = 10
# Two models with a thousand versions each: one to read, one whose versions are all in Production.
BIG = "big"
CROWDED = "crowded"
VERSIONS_OF_A_BIG_ONE = 1000
BATCH = "batch"


def model_name(number: int) -> str:
    """Return the name of the small model of this number."""
    return f"model-{number:06}"


def run_id(model: int, version: int) -> str:
    """Return the 32 characters of a run, another for each version."""
    return f"{model:024x}{version:08x}"


def batch_of(model: int) -> str:
    """Return the value of the tag that all versions of a model, and no others, bear."""
    return f"b{model:06}"
