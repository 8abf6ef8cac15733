"""Work shared among threads, so that its results do not depend on how many there are."""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

_ONE_AT_A_TIME = threading.Lock()

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None) -> list[Result]:
    """Return what a function makes of each item; no thread is started where one is enough.

    Args:
        work: What is done; it lets go of Python's lock.
        items: One at a time for each thread.
        threads: How many at most; by default one a processor.

    Example:
        >>> share(abs, [-1, 2, -3], threads=2)
        [1, 2, 3]
    """
    items = list(items)
    count = min(threads or processors(), len(items))
    if count < 2:
        return [work(item) for item in items]
    left, results = deque(enumerate(items)), dict[int, Result]()

    def work_on() -> None:
        while left:
            try:
                place, item = left.popleft()
            except IndexError:  # another thread took the last one
                return
            results[place] = work(item)

    # The calling thread works too: it costs less than to start one more and wait.
    with ThreadPoolExecutor(count - 1) as pool:
        others = [pool.submit(work_on) for _ in range(count - 1)]
        work_on()
        for other in others:
            other.result()
    return [results[place] for place in range(len(items))]


@contextmanager
def undivided_products() -> Iterator[None]:
    """Let BLAS compute every matrix product in the thread that asks for it.

    How BLAS divides a product decides how its sums are rounded. The limit holds for the whole process; two
    threads that set it and put it back at once would leave it wrong, so one waits for the other.
    """
    with _ONE_AT_A_TIME, _blas().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _blas() -> Any:
    return ThreadpoolController()
