"""The control: `modelyard` with a sweep that does nothing, to show that a storm does lose jobs without it."""

from modelyard.cli import main
from modelyard.jobs.sweep import Sweep


def _do_nothing(sweep: Sweep) -> None:
    """Stand in for a round of the sweep."""


if __name__ == "__main__":
    Sweep.round = _do_nothing  # type: ignore[method-assign]
    main()
