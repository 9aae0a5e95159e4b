"""What a published file holds, found without running anything in it and without torch.

The opcodes of ``data.pkl`` are followed on a stack of our own: dictionaries, lists and numbers as
they are, tensors as :class:`Outline` (dtype, shape, place in the file), the few allowed classes as
plain values. No name of the file is looked up, nothing is called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

MARK = object()
STORAGES = {"Float": "<f4", "Half": "<f2", "BFloat16": "bf16", "Double": "<f8", "Long": "<i8"}
STORAGES |= {"Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?"}
CONSTANTS: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
CONSTANTS |= {"EMPTY_TUPLE": tuple, "EMPTY_SET": list, "NONE": lambda: None}
CONSTANTS |= {"NEWTRUE": lambda: True, "NEWFALSE": lambda: False}
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Storage:
    """A member of the zip: ``data/<key>``."""

    dtype: str
    """numpy's name, or bf16."""
    key: str
    size: int
    """Elements."""


@dataclass(frozen=True)
class Outline:
    """A tensor that was not read; sizes in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    name: str


class _Bag(dict[str, Any]):
    """The pickled config class as the dictionary of its attributes."""


def outline(path: Path, pickled: bytes) -> Any:
    """The value ``data.pkl`` describes; :class:`CheckpointError` where it describes none."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "STOP":
                return stack.pop()
            _step(opcode.name, argument, stack, memo)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # damaged input: anything may be missing from stack or memo
        raise CheckpointError(f"{path}: data.pkl is damaged: {error!r}") from None
    raise CheckpointError(f"{path}: data.pkl has no end")


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in CONSTANTS:
        stack.append(CONSTANTS[name]())
    elif name in VALUES:
        stack.append(argument)
    elif name == "MARK":
        stack.append(MARK)
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name == "GLOBAL":
        stack.append(_Name(str(argument).replace(" ", ".", 1)))
    elif name in TUPLES:
        count = TUPLES[name]
        stack[-count:] = [tuple(stack[-count:])]
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("APPEND", "APPENDS"):
        items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
        stack[-1].extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        pairs = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack)
        stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name in ("REDUCE", "NEWOBJ"):
        arguments = stack.pop()
        stack.append(_made(stack.pop(), arguments))
    elif name == "BUILD":
        state = stack.pop()
        if isinstance(stack[-1], _Bag):  # an OrderedDict's own attributes say nothing of weights
            stack[-1].update(state)
    elif name != "PROTO":
        raise CheckpointError(f"pickle opcode {name} is refused")


def _since_mark(stack: list[Any]) -> list[Any]:
    place = len(stack) - 1
    while stack[place] is not MARK:
        place -= 1
        if place < 0:
            raise CheckpointError("data.pkl is damaged: no mark")
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _storage(identity: Any) -> Storage:
    """("storage", torch.FloatStorage, key, device, elements)"""
    _, kind, key, _, size = identity
    name = kind.name.removeprefix("torch.").removesuffix("Storage")
    return Storage(STORAGES[name], str(key), int(size))


def _made(what: Any, arguments: tuple[Any, ...]) -> Any:
    """What an allowed name stands for; the call itself never happens."""
    name = what.name
    if name == "torch._utils._rebuild_tensor_v2":
        storage, offset, shape, stride = arguments[:4]
        if not isinstance(storage, Storage):
            raise CheckpointError("a tensor without storage")
        return Outline(storage, int(offset), _sizes(shape), _sizes(stride))
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "collections.OrderedDict":
        return dict(*arguments)
    if name == "torch.Size":
        return tuple(*arguments)
    if name == "utils.HParams":
        return _Bag()
    if name.startswith("pathlib."):
        return "/".join(map(str, arguments))
    raise CheckpointError(f"wants to use {name}, which is refused")


def _sizes(values: Any) -> tuple[int, ...]:
    if any(type(value) is not int or value < 0 for value in values):
        raise CheckpointError(f"a tensor of shape or stride {values}")
    return tuple(values)
