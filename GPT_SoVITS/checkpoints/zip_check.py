"""Is a file a PyTorch zip that is safe to hand to torch.load? Decided without torch.

first two bytes   "PK", or two digits in their place (put right in memory, file untouched)
zip members       stored, not compressed; sizes within the file: no bomb is ever unpacked
data.pkl          read as plain values by ``pickle_values``, which calls nothing
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from GPT_SoVITS.checkpoints.errors import MAX_FILE_BYTES, CheckpointError
from GPT_SoVITS.checkpoints.pickle_values import read_values

MAX_PICKLE_BYTES = 8 * 1024 * 1024
MAX_MEMBERS = 20_000
HEADER_DIGITS = {b"00", b"01", b"02", b"03", b"04", b"05", b"06"}


@dataclass(frozen=True)
class CheckedFile:
    """A file that may be read."""

    source: BinaryIO
    """Its bytes from the start, "PK" in place."""
    digits: str
    """What stood in place of "PK", or an empty text."""
    content: Any
    """What its pickle says, each tensor a :class:`TensorEntry`."""
    archive: zipfile.ZipFile
    folder: str
    """Where its members lie inside the zip, up to the last slash."""

    def storage(self, key: str) -> bytes:
        """The bytes of one storage; their checksum must be right."""
        return self.archive.read(f"{self.folder}data/{key}")


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


@contextmanager
def checked(path: str | Path) -> Iterator[CheckedFile]:
    """The file, once all of this is right; else :class:`CheckpointError` naming it and the
    reason."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
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
        archive, pickled = _check_zip(path, source, size)
        folder = pickled.filename.removesuffix("data.pkl")
        start = f"{folder}data/"
        members = {
            one.filename.removeprefix(start): one.file_size
            for one in archive.infolist()
            if one.filename.startswith(start)
        }
        try:
            content = read_values(archive.read(pickled), members, path=path)
            source.seek(0)
            yield CheckedFile(source, digits.decode(), content, archive, folder)
        except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
            raise CheckpointError(f"{path}: the zip is damaged: {error}") from None


def _check_zip(path: Path, source: BinaryIO, size: int) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    """The archive and its only pickle."""
    try:
        archive = zipfile.ZipFile(source)
        members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise CheckpointError(f"{path}: the zip is damaged or incomplete: {error}") from None
    if len(members) > MAX_MEMBERS:
        raise CheckpointError(f"{path}: {len(members)} zip members, more than {MAX_MEMBERS}")
    if len({member.filename for member in members}) != len(members):
        raise CheckpointError(f"{path}: two members of the zip have the same name")
    total = 0
    pickles = []
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise CheckpointError(
                f"{path}: member {member.filename!r} is compressed "
                f"({member.compress_size} -> {member.file_size} bytes); refused"
            )
        total += member.file_size
        if member.filename.rpartition("/")[2] == "data.pkl":
            pickles.append(member)
    if total > size:
        raise CheckpointError(f"{path}: members claim {total} bytes in a file of {size}")
    if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path}: no data.pkl of sane size in the zip")
    return archive, pickles[0]
