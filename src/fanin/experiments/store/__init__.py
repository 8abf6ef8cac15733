"""Where finished runs are kept, so that none is ever trained twice."""

from __future__ import annotations

from fanin.experiments.store.base import Store, StudyRow, trial_id
from fanin.experiments.store.memory import MemoryStore
from fanin.experiments.store.sqlite import SqliteReader, SqliteStore, open_reader, open_store

__all__ = [
    "MemoryStore",
    "SqliteReader",
    "SqliteStore",
    "Store",
    "StudyRow",
    "open_reader",
    "open_store",
    "trial_id",
]
