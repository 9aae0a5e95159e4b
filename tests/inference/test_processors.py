"""Places to compute: never more at once than there are, and nobody is forgotten."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from GPT_SoVITS.inference.processors import Processors


def test_no_more_compute_at_once_than_there_are_places():
    places, lock, inside, most = Processors(2), threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def compute(_: int) -> None:
        nonlocal inside, most
        with places:
            with lock:
                inside += 1
                most = max(most, inside)
            both.wait(60)  # two are always needed to go on
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(compute, range(8)))
    assert (inside, most) == (0, 2)


def test_a_place_is_given_back_after_an_error():
    places = Processors(1)
    with pytest.raises(ValueError), places:
        raise ValueError
    with places:
        pass


def test_who_looks_takes_no_turn_from_who_waits():
    places, taken = Processors(1), threading.Event()
    places.__enter__()
    lookers = [threading.Thread(target=places.wait_for_one, args=(60.0,)) for _ in range(4)]

    def take() -> None:
        with places:
            taken.set()

    taker = threading.Thread(target=take)
    for thread in (*lookers[:2], taker, *lookers[2:]):
        thread.start()
    assert not taken.is_set()
    places.__exit__(None, None, None)
    assert taken.wait(60)
    for thread in (*lookers, taker):
        thread.join(60)
        assert not thread.is_alive()


def test_looking_ends_without_a_place_too():
    places = Processors(1)
    with places:
        places.wait_for_one(0.01)  # returns, though nobody gives the place back
    places.wait_for_one(60.0)  # there is one: at once
