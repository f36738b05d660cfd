"""`python -m tests.chaos`: storms over real processes; exit status 1 when anything was lost, doubled or wrong."""

import argparse
import sys

from tests.chaos.report import print_outcome
from tests.chaos.storm import Storm

DATABASES = ("sqlite", "postgresql")
CONTROL_DRAIN_S = 20


def main() -> int:
    """Run a storm for each database and each seed asked for."""
    asked = _arguments()
    outcomes = []
    for database in [asked.database] if asked.database else DATABASES:
        for seed in asked.seed or [1]:
            storm = Storm(database, seed, asked.seconds, sweep=not asked.without_sweep, drain_s=asked.drain)
            outcomes.append(storm.run())
            print_outcome(outcomes[-1])
    return int(any(outcome.violations for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="which storm; may be given several times (1)")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults blow (60)")
    parser.add_argument("--database", choices=DATABASES, help="only this one (both)")
    parser.add_argument("--drain", type=float, help="how many seconds the jobs may take to end afterwards")
    parser.add_argument("--without-sweep", action="store_true", help="the control: must end with violations")
    asked = parser.parse_args()
    # After two losses a job waits up to a minute, after four up to five (rules/jobs.backoff_s).
    asked.drain = asked.drain or (CONTROL_DRAIN_S if asked.without_sweep else 330)
    return asked


if __name__ == "__main__":
    sys.exit(main())
