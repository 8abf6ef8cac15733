import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fanin.random.threads import processors, share, undivided_products


def limits():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize("threads", [None, 1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_results_are_in_the_order_of_the_items(count, threads):
    assert share(lambda item: item * item, range(count), threads) == [i * i for i in range(count)]


def test_one_thread_is_the_caller():
    assert share(lambda _: threading.current_thread(), [0, 1], threads=1) == [threading.current_thread()] * 2
    assert share(lambda _: threading.current_thread(), [0], threads=4) == [threading.current_thread()]


def test_a_failure_in_a_thread_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        share(lambda item: 1 // item, [1, 0], threads=2)


def test_there_is_a_processor():
    assert processors() >= 1


def test_the_limit_holds_inside_and_is_put_back():
    with threadpool_limits(2, user_api="blas"):
        before = limits()
        with undivided_products():
            assert set(limits()) == {1}
        assert limits() == before
        with pytest.raises(ZeroDivisionError), undivided_products():
            raise ZeroDivisionError
        assert limits() == before


def test_the_limit_is_put_back_whoever_asks_at_once():
    def enter(_):
        for _ in range(50):
            with undivided_products():
                assert set(limits()[:1]) == {1}

    before = limits()
    share(enter, range(4), threads=4)
    assert limits() == before
