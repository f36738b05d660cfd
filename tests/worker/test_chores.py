"""What a worker's sweep does besides jobs."""

from modelyard.jobs import counters
from modelyard.worker import chores
from modelyard.worker.chores import Counting


def test_a_round_counts_what_has_ended_and_leaves_the_rest_to_the_next(house, monkeypatch):
    monkeypatch.setattr(counters, "BATCH", 2)
    monkeypatch.setattr(chores, "BATCH", 2)
    monkeypatch.setattr(chores, "_COUNTED_BATCHES", 2)
    for number in range(1, 6):
        house.run(house.register(house.model_folder(), number=number))
    house.context.lifecycle.claim(house.register("/x", number=6).id, "w")
    rest = []

    for _ in range(3):
        Counting(house.context)()
        rest.append([row.job_id for row in house.rows("job_attempts") if row.counted_at_ms is None])

    assert [len(ids) for ids in rest] == [2, 1, 1]
