"""Handlers of a page, so that what goes wrong appears there as a sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import gradio as gr

from GPT_SoVITS.studio.errors import sentence


def spoken_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of the page whose errors appear as sentences, not as tracebacks."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(sentence(error), duration=15, print_exception=False) from None

    return guarded


def spoken_errors_of_stream(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a handler that yields."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> Any:
        try:
            yield from function(*arguments)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(sentence(error), duration=15, print_exception=False) from None

    return guarded
