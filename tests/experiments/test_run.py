import pytest

from fanin.experiments.run import missing, run_study
from fanin.experiments.store import open_store
from fanin.experiments.study import Study
from fanin.frameworks.training import Choice, Data, Factory, Recipe, Run


class Recorder:
    """A trainer whose runs are made here: what counts is which are asked for."""

    def __init__(self, block=3, fail_after=None):
        self.notes = []
        self.asked = []
        self.block = block
        self.fail_after = fail_after

    def train(self, todo):
        for start in range(0, len(todo), self.block):
            if self.fail_after is not None and start >= self.fail_after:
                raise KeyboardInterrupt
            block = todo[start : start + self.block]
            self.asked += [(choice.key, seed) for choice, seed in block]
            yield [Run(choice.key, seed, {"loss": (1.0, float(seed))}) for choice, seed in block]


def study(schemes=("a", "b"), seeds=4, recipe=None, data=None, call=None):
    import numpy as np

    return Study(
        Factory(call or test_only_missing_runs_are_trained, True, "builder"),
        tuple(Choice(name, name, name) for name in schemes),
        tuple(range(seeds)),
        data or Data(np.zeros((4, 2), "float32"), np.zeros(4)),
        recipe or Recipe(2, 2, "adam", "mse"),
        "jax",
    )


def test_only_missing_runs_are_trained(tmp_path):
    path = tmp_path / "runs.db"
    for wanted, expected in [
        (study(), 8),
        (study(), 0),
        (study(seeds=6), 4),
        (study(schemes=("a", "b", "c"), seeds=6), 6),
        (study(schemes=("c",), seeds=2), 0),
    ]:
        trainer = Recorder()
        with open_store(path) as store:
            finished = run_study(wanted, trainer, store)
        assert len(trainer.asked) == finished.trained == expected
        assert [(r.scheme, r.seed) for r in finished.runs] == [
            (c.key, seed) for seed in wanted.seeds for c in wanted.choices
        ]


def test_an_interrupted_study_keeps_what_finished_and_goes_on(tmp_path):
    path = tmp_path / "runs.db"
    first, second = Recorder(fail_after=3), Recorder()
    with pytest.raises(KeyboardInterrupt), open_store(path) as store:
        run_study(study(), first, store)
    with open_store(path) as store:
        run_study(study(), second, store)
    assert len(first.asked) == 3
    assert not set(first.asked) & set(second.asked)


def test_seeds_come_first_so_that_an_interrupted_study_is_paired():
    todo = [(choice.key, seed) for choice, seed in missing(study(seeds=2), {})]
    assert todo == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_progress_counts_new_runs(tmp_path):
    seen = []
    with open_store(None) as store:
        run_study(study(), Recorder(), store, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 8), (3, 8), (6, 8), (8, 8)]


def test_the_id_is_a_hash_of_the_content():
    import numpy as np

    base = study()
    assert study(schemes=("x",), seeds=9).id == base.id
    others = [
        study(recipe=Recipe(3, 2, "adam", "mse")),
        study(recipe=Recipe(2, 3, "adam", "mse")),
        study(recipe=Recipe(2, 2, "sgd", "mse")),
        study(recipe=Recipe(2, 2, "adam", "mae")),
        study(recipe=Recipe(2, 2, "adam", "mse", ("mae",))),
        study(recipe=Recipe(2, 2, "adam", "mse", class_weight={0: 2.0})),
        study(data=Data(np.ones((4, 2), "float32"), np.zeros(4))),
        study(call=lambda i: None),
    ]
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1
