"""What every store must do, as tests: subclass, and give a fixture that opens an empty one.

Example:
    A test file for a store of your own::

        class TestMine(StoreContract):
            @pytest.fixture
            def store(self):
                with MyStore() as store:
                    yield store

It needs pytest and hypothesis.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.experiments.store import Store
from fanin.frameworks.training import Run
from fanin.testing.runs import make_run, same_bits

RECORD = {
    "builder": "create_model",
    "data": "seed",
    "epochs": 10,
    "metrics": ["accuracy"],
    "class_weight": None,
}

curves = st.dictionaries(
    st.text(max_size=12), st.lists(st.floats(width=64), max_size=30).map(tuple), max_size=5
)
"""Any curves: names in any script, doubles of any bits, lengths that differ."""


class StoreContract:
    """The tests; each gets an empty store."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError("a subclass gives the store to test")

    def test_an_empty_store_has_no_studies(self, store: Store) -> None:
        """Nothing is there that nobody put there."""
        assert store.studies() == []
        assert store.finished("absent") == {}

    def test_a_study_without_runs_is_listed(self, store: Store) -> None:
        """Registered is enough."""
        store.begin("a", RECORD)
        (row,) = store.studies()
        assert (row.id, row.record, row.runs, row.schemes, row.seeds, row.last) == (
            "a",
            RECORD,
            0,
            (),
            (),
            None,
        )
        assert abs(datetime.now(UTC) - row.created) < timedelta(minutes=1)

    def test_beginning_again_changes_nothing(self, store: Store) -> None:
        """A study that resumes is the study that was."""
        store.begin("a", RECORD)
        store.add("a", [make_run("zeros", 0)])
        before = store.studies()
        store.begin("a", {"builder": "another"})
        assert store.studies() == before
        assert list(store.finished("a")) == [("zeros", 0)]

    def test_runs_come_back_bit_for_bit_and_in_order(self, store: Store) -> None:
        """More of them than any batch."""
        runs = [make_run(scheme, seed) for seed in reversed(range(300)) for scheme in ("zeros", "he_normal")]
        store.begin("a", RECORD)
        store.add("a", runs)
        found = store.finished("a")
        assert list(found) == [(run.scheme, run.seed) for run in runs]
        assert all(map(same_bits, found.values(), runs))

    def test_any_run_comes_back_bit_for_bit(self, store: Store) -> None:
        """NaN of any payload, infinities, subnormals, curves of no length, names in any script."""
        numbers = itertools.count()

        @given(curves=curves, seconds=st.floats(min_value=0), seed=st.integers(-(2**63), 2**63 - 1))
        @settings(deadline=None, max_examples=60)
        def check(curves: dict[str, tuple[float, ...]], seconds: float, seed: int) -> None:
            study, run = f"study {next(numbers)}", Run("any", seed, curves, seconds, {"keras": "3.15.0"})
            store.begin(study, RECORD)
            store.add(study, [run])
            (found,) = store.finished(study).values()
            assert same_bits(found, run)

        check()

    def test_a_run_that_is_there_stays(self, store: Store) -> None:
        """The first result counts, also within one call; what is new beside it is kept."""
        first, second = make_run("zeros", 0), replace(make_run("zeros", 0), seconds=99.0)
        store.begin("a", RECORD)
        store.add("a", [first])
        last = store.studies()[0].last
        store.add("a", [second])
        assert store.studies()[0].last == last
        store.add("a", [second, make_run("zeros", 1), replace(make_run("zeros", 1), seconds=99.0)])
        found = store.finished("a")
        assert same_bits(found["zeros", 0], first)
        assert same_bits(found["zeros", 1], make_run("zeros", 1))

    def test_more_seeds_and_schemes_extend_a_study(self, store: Store) -> None:
        """What was there is still there, and only the new is added."""
        store.begin("a", RECORD)
        store.add("a", [make_run("zeros", seed) for seed in range(2)])
        store.add("a", [make_run("zeros", 7), make_run("he_normal", 1)])
        (row,) = store.studies()
        assert (row.runs, row.schemes, row.seeds) == (4, ("zeros", "he_normal"), (0, 1, 7))
        assert row.last is not None
        assert row.last >= row.created

    def test_studies_share_a_store_without_clash(self, store: Store) -> None:
        """The same scheme and seed in two studies are two runs."""
        ours, theirs = make_run("zeros", 0), replace(make_run("zeros", 0), seconds=99.0)
        for study, run in (("b", ours), ("a", theirs)):
            store.begin(study, {**RECORD, "data": study})
            store.add(study, [run])
        assert [(row.id, row.record["data"], row.runs) for row in store.studies()] == [
            ("b", "b", 1),
            ("a", "a", 1),
        ]
        assert same_bits(store.finished("b")["zeros", 0], ours)
        assert same_bits(store.finished("a")["zeros", 0], theirs)

    def test_runs_of_a_study_that_was_not_begun_are_refused(self, store: Store) -> None:
        """Runs that nobody could find again are not taken."""
        with pytest.raises(KeyError):
            store.add("absent", [make_run("zeros", 0)])
        assert store.studies() == []

    def test_a_block_is_kept_whole_or_not_at_all(self, store: Store) -> None:
        """One run that cannot be kept takes the others of its call with it."""
        words: Any = {"loss": ("not a number",)}
        broken = Run("he_normal", 0, words)
        store.begin("a", RECORD)
        with pytest.raises((TypeError, ValueError)):
            store.add("a", [make_run("zeros", 0), broken])
        assert store.finished("a") == {}

    def test_adding_nothing_is_allowed(self, store: Store) -> None:
        """A trainer may have nothing to give."""
        store.begin("a", RECORD)
        store.add("a", [])
        assert store.finished("a") == {}

    def test_what_is_read_is_the_callers_own(self, store: Store) -> None:
        """Emptying it empties nothing else."""
        store.begin("a", RECORD)
        store.add("a", [make_run("zeros", 0)])
        store.finished("a").clear()
        assert len(store.finished("a")) == 1

    def test_closing_twice_is_allowed(self, store: Store) -> None:
        """A `with` block may end after an explicit close."""
        store.close()
        store.close()
