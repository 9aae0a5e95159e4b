"""Dictionaries load once, also when several threads ask for the first time together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def once(function: Callable[P, T]) -> Callable[P, T]:
    """What a function of positional arguments gives, made by the first caller while others wait.

    `lru_cache` lets each of them make it: eight first calls would read jieba's dictionary eight
    times.
    """
    lock = threading.RLock()
    made: dict[tuple[Hashable, ...], T] = {}

    @wraps(function)
    def one(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (*args, *sorted(kwargs.items()))
        if key not in made:
            with lock:
                if key not in made:
                    made[key] = function(*args, **kwargs)
        return made[key]

    return one
