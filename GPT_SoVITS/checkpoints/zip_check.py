"""Is a file a PyTorch zip that is safe to hand to torch.load? Decided without torch.

first two bytes   "PK", or two digits in their place (put right in memory, file untouched)
zip members       stored, not compressed; sizes within the file: no bomb is ever unpacked
data.pkl          every global it names must be in ALLOWED; the first other one is named
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from GPT_SoVITS.checkpoints.errors import MAX_FILE_BYTES, CheckpointError

MAX_PICKLE_BYTES = 32 * 1024 * 1024
MAX_MEMBERS = 20_000
HEADER_DIGITS = {b"00", b"01", b"02", b"03", b"04", b"05", b"06"}
_PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath")
STAND_INS = {"utils.HParams"} | {
    f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in _PATHS
}
ALLOWED = STAND_INS | {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    *(f"torch.{name}Storage" for name in ("Float", "Half", "BFloat16", "Double", "Long", "Int")),
    *(f"torch.{name}Storage" for name in ("Short", "Char", "Byte", "Bool")),
}


class _Repaired(io.RawIOBase):
    """The file with "PK" in its first two bytes, read from disk as asked."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        position = self._file.tell()
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        for index in range(position, min(2, position + len(data))):
            buffer[index - position] = b"PK"[index]
        return len(data)


def check_file(path: str | Path) -> None:
    """:class:`CheckpointError` naming file and reason unless the file may be read."""
    with checked(path):
        pass


@contextmanager
def checked(path: str | Path) -> Iterator[tuple[BinaryIO, str]]:
    """The checked file from its start, "PK" in place, and the digits that stood there."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path}: the file is empty")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"{path}: {size} bytes, more than the limit of {MAX_FILE_BYTES}")
    with path.open("rb") as file:
        magic = file.read(4)
        digits = magic[:2] if magic[:2] in HEADER_DIGITS and magic[2:] == b"\x03\x04" else b""
        if not digits and magic != b"PK\x03\x04":
            raise CheckpointError(
                f"{path}: not a PyTorch zip checkpoint (starts with {magic!r}); "
                "an incomplete download, a web page, or a bare pickle, which is never read"
            )
        file.seek(0)
        source = cast(BinaryIO, io.BufferedReader(_Repaired(file)) if digits else file)
        _check_zip(path, source, size)
        source.seek(0)
        yield source, digits.decode()


def _check_zip(path: Path, source: BinaryIO, size: int) -> None:
    try:
        archive = zipfile.ZipFile(source)
        members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(f"{path}: the zip is damaged or incomplete: {error}") from None
    if len(members) > MAX_MEMBERS:
        raise CheckpointError(f"{path}: {len(members)} zip members, more than {MAX_MEMBERS}")
    total = 0
    pickles = []
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(
                f"{path}: member {member.filename!r} is compressed "
                f"({member.compress_size} -> {member.file_size} bytes); refused"
            )
        total += member.file_size
        if member.filename.endswith("data.pkl"):
            pickles.append(member)
    if total > size:
        raise CheckpointError(f"{path}: members claim {total} bytes in a file of {size}")
    if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path}: no data.pkl of sane size in the zip")
    try:
        _check_globals(path, archive.read(pickles[0]))
    except zipfile.BadZipFile as error:
        raise CheckpointError(f"{path}: the zip is damaged: {error}") from None


def _check_globals(path: Path, pickled: bytes) -> None:
    """Walk the opcodes without executing any; every name must be on the list."""
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "GLOBAL":
                name = str(argument).replace(" ", ".", 1)
                if name not in ALLOWED:
                    raise CheckpointError(f"{path}: wants to use {name}, which is refused")
            elif opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
                raise CheckpointError(f"{path}: pickle opcode {opcode.name} is refused")
    except CheckpointError:
        raise
    except Exception as error:  # pickletools raises many kinds on damaged input
        raise CheckpointError(f"{path}: data.pkl is damaged: {error}") from None
