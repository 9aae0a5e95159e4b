"""The pickle inside a PyTorch zip as plain values, by a machine that calls nothing and needs no
torch.

It knows the instructions torch.save writes. A name leads to a value of ours or to an error that
says it: ordered dicts become dicts, the pickled config class a dict, paths texts, tensors a
:class:`TensorEntry` that says where their bytes lie. Every tensor must lie inside its storage and
every storage must be as long as its member of the zip, so that no claimed size is ever believed.
Values shared by reference are counted each time they are met: a small file that unfolds to
millions of values is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.tensor_entry import (
    STORAGE_BYTES,
    StorageEntry,
    tensor_at,
    whole_number,
)

MAX_VALUES = 300_000
"""Values of a file, shared ones counted each time; a training file of v2ProPlus has 30 000."""
MAX_DEPTH = 16
KEYS = (str, int, float, type(None))
_PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath")
CONFIG_CLASS = "utils.HParams"
PATH_CLASSES = {f"{m}.{name}" for m in ("pathlib", "pathlib._local") for name in _PATHS}
STORAGES = {f"torch.{name}Storage": name for name in STORAGE_BYTES}


@dataclass(frozen=True)
class _Name:
    """A global on the list, not looked up."""

    name: str


class _Mark:
    """Where a group of values begins on the stack."""


def read_values(data: bytes, members: Mapping[str, int], *, path: str | Path) -> Any:
    """What the pickle ``data`` says; ``members`` is storage key -> bytes in the zip.

    :class:`CheckpointError` names ``path`` and the reason.
    """
    try:
        content = _Machine(members).run(data)
        _check_extent(content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can break any instruction
        said = str(error) or type(error).__name__
        raise CheckpointError(f"{path}: data.pkl is damaged: {said[:200]}") from None
    return content


class _Machine:
    """A stack, a memo, and one method for each instruction that is more than a constant."""

    def __init__(self, members: Mapping[str, int]) -> None:
        self.members = members
        self.stack: list[Any] = []
        self.memo: dict[Any, Any] = {}

    def run(self, data: bytes) -> Any:
        """Walk the instructions to the end."""
        for opcode, argument, _ in pickletools.genops(data):
            name = opcode.name
            if name == "STOP":
                break
            if name in CONSTANTS:
                self.stack.append(CONSTANTS[name]())
            elif name in ARGUMENTS:
                if isinstance(argument, str) and not _unicode(argument):
                    raise CheckpointError("holds a text that is not Unicode")
                self.stack.append(argument)
            elif name in ("BINPUT", "LONG_BINPUT"):
                self.memo[argument] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument])
            elif name in INSTRUCTIONS:
                INSTRUCTIONS[name](self, argument)
            elif name != "PROTO":
                raise CheckpointError(f"pickle opcode {name} is refused")
        (content,) = self.stack
        return content

    def since_mark(self) -> list[Any]:
        """The values of the last group, taken off the stack."""
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
            if place < 0:
                raise ValueError("no mark on the stack")
        group = self.stack[place + 1 :]
        del self.stack[place:]
        return group

    def tuple_of(self, count: int) -> None:
        """The last values as a tuple."""
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(values)

    def name(self, argument: str) -> None:
        """A global: on the list, or the end."""
        name = argument.replace(" ", ".", 1)
        if name not in ALLOWED:
            raise CheckpointError(f"wants to use {name}, which is refused")
        self.stack.append(_Name(name))

    def call(self, _: Any) -> None:
        """What the calls on the list mean, without making them."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise CheckpointError(f"calls a {type(name).__name__}, which is refused")
        self.stack.append(_meaning(name.name, arguments))

    def set_state(self, _: Any) -> None:
        """The attributes of the config class; those of a dict (``_metadata``) mean nothing."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Config) and isinstance(state, dict):
            target.update(state)
        elif not isinstance(target, dict):
            raise CheckpointError(f"sets the state of a {type(target).__name__}, which is refused")

    def set_items(self, pairs: list[Any]) -> None:
        """Keys and values in turn, into the dict under them."""
        target = self.stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2:
            raise CheckpointError(f"sets items of a {type(target).__name__}, which is refused")
        if not all(isinstance(key, KEYS) for key in pairs[::2]):
            raise CheckpointError("has a key that is neither a text nor a number, which is refused")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def append(self, values: list[Any]) -> None:
        """Onto the list under them; a set's order means nothing."""
        target = self.stack[-1]
        if not isinstance(target, list):
            raise CheckpointError(f"appends to a {type(target).__name__}, which is refused")
        target.extend(values)

    def storage(self, _: Any) -> None:
        """``("storage", class, key, location, count)``; the member must have that length."""
        word, kind, key, _, count = self.stack.pop()
        if word != "storage" or not isinstance(kind, _Name) or kind.name not in STORAGES:
            raise CheckpointError("refers to something that is not a storage")
        if not isinstance(key, str):
            raise CheckpointError("names a storage by something that is not a text")
        entry = StorageEntry(STORAGES[kind.name], key, whole_number(count))
        claimed, there = entry.count * STORAGE_BYTES[entry.dtype], self.members.get(entry.key)
        if there != claimed:
            raise CheckpointError(f"storage {entry.key!r} claims {claimed} bytes and has {there}")
        self.stack.append(entry)


class _Config(dict[Any, Any]):
    """The pickled config class: its attributes."""


def _meaning(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name == CONFIG_CLASS:
        return _Config()
    if name in PATH_CLASSES and all(isinstance(part, str) for part in arguments):
        return "/".join(arguments)
    if name == "torch.Size":
        return tuple(*arguments)
    if name == "torch._utils._rebuild_parameter":
        return arguments[0]
    if name == "torch._utils._rebuild_tensor_v2":
        return tensor_at(*arguments[:4])
    raise CheckpointError(f"calls {name}, which is refused")


def _unicode(text: str) -> bool:
    """No lone surrogates, which no file of ours could hold."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _check_extent(content: Any) -> None:
    """Not deeper and not more than a checkpoint can be, shared values counted each time."""
    waiting, seen = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise CheckpointError(f"nested deeper than {MAX_DEPTH} levels")
        inner = list(value.values()) if isinstance(value, dict) else value
        if isinstance(inner, (list, tuple)):
            seen += len(inner)
            if seen > MAX_VALUES:
                raise CheckpointError(f"unfolds to more than {MAX_VALUES} values")
            waiting.extend((one, depth + 1) for one in inner)
        elif isinstance(inner, (_Name, StorageEntry)):
            raise CheckpointError(f"holds a {inner}, which is refused")


CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": list,
    "MARK": _Mark,
}
ARGUMENTS = {"BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "LONG1", "SHORT_BINSTRING"}
INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.set_state,
    "BINPERSID": _Machine.storage,
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
}
ALLOWED = {CONFIG_CLASS, *PATH_CLASSES, *STORAGES, "collections.OrderedDict", "torch.Size"}
ALLOWED |= {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"}
