"""The catalogue of bad input B1-B40: how to make each, and what must become of it.

Every case spoils turn 1 of dialogue 1 in a corpus of 3 dialogues of 4 turns, or adds something.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from tests.prepare_datasets.sounds import RATE, voice

BAD = "t/1/1"
SEED = 101  # of that turn's sound


@dataclass(frozen=True)
class Case:
    """One way a corpus can be wrong."""

    name: str
    title: str
    spoil: Callable[[Path], None]
    code: str = ""
    """Ledger code that must appear; none where the input is simply accepted."""
    fate: Literal["left out", "kept", "same"] = "left out"
    """Of the spoiled turn; same: what is made of it is that of the clean corpus, bit for bit."""
    exit: int = 3
    options: Sequence[str] = ()
    rename: tuple[str, str] = ("", "")
    """Beginning of ids in the clean corpus -> in this one."""


def _wav(root: Path) -> Path:
    return root / "1" / "1_1_d1.wav"


def _txt(root: Path) -> Path:
    return root / "1" / "1_1_d1.txt"


def text(value: str | bytes) -> Callable[[Path], None]:
    """Replace the transcript."""
    data = value.encode("utf-8") if isinstance(value, str) else value
    return lambda root: void(_txt(root).write_bytes(data))


def every_text(change: Callable[[str], bytes]) -> Callable[[Path], None]:
    """Replace all transcripts."""

    def spoil(root: Path) -> None:
        for path in root.rglob("*.txt"):
            path.write_bytes(change(path.read_text(encoding="utf-8")))

    return spoil


def sound(
    samples: np.ndarray, *, rate: int = RATE, subtype: str = "PCM_16"
) -> Callable[[Path], None]:
    """Replace the recording."""
    return lambda root: soundfile.write(_wav(root), samples, rate, subtype=subtype, format="WAV")


def content(data: bytes) -> Callable[[Path], None]:
    """Replace the recording by bytes."""
    return lambda root: void(_wav(root).write_bytes(data))


def void(value: object) -> None:
    """For lambdas."""


def remove(*paths: str) -> Callable[[Path], None]:
    """Delete files."""
    return lambda root: [(root / path).unlink() for path in paths] and None


def rename_turn(stem: str) -> Callable[[Path], None]:
    """Rename recording and transcript of the turn."""

    def spoil(root: Path) -> None:
        for path in (_wav(root), _txt(root)):
            path.rename(path.with_name(stem + path.suffix))

    return spoil


def rename_dialogue(name: str, *, folder: str = "") -> Callable[[Path], None]:
    """Call dialogue 1 otherwise, in its folder's and its files' names."""

    def spoil(root: Path) -> None:
        for path in list((root / "1").iterdir()):
            path.rename(path.with_name(path.name.replace("_d1.", f"_d{name}.")))
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "1").rename(root / folder / name)

    return spoil


def all_lab(root: Path) -> None:
    """NCSSD's suffix."""
    for path in root.rglob("*.txt"):
        path.rename(path.with_suffix(".lab"))


def truncated(root: Path) -> None:
    """Half of the sound, all of the header."""
    data = _wav(root).read_bytes()
    _wav(root).write_bytes(data[: 44 + (len(data) - 44) // 2])


def twice(root: Path) -> None:
    """Another speaker in the same place."""
    shutil.copy(_wav(root), root / "1" / "1_0_d1.wav")
    shutil.copy(_txt(root), root / "1" / "1_0_d1.txt")


def loop(root: Path) -> None:
    """Links to folders above."""
    (root / "1" / "again").symlink_to(root, target_is_directory=True)


def windows_list(root: Path) -> None:
    """A .list made on Windows."""
    lines = []
    for path in sorted(root.rglob("*.wav")):
        words = path.with_suffix(".txt").read_text(encoding="utf-8")
        dialogue, speaker = path.parent.name, path.stem.split("_")[1]
        lines.append(f"D:\\{dialogue}\\{path.name}|{speaker}|EN|{words}|{dialogue}")
    (root / "all.list").write_text("\n".join(lines), encoding="utf-8")


def broken_link(root: Path) -> None:
    """A recording that cannot be opened by anybody, root included."""
    _wav(root).unlink()
    os.symlink(root / "nowhere.wav", _wav(root))


def folder_like_audio(root: Path) -> None:
    """A folder called x.wav."""
    (root / "x.wav").mkdir()


def stereo(right: np.ndarray) -> np.ndarray:
    """(T, 2) with the voice on the left."""
    return np.stack([voice(SEED), right], axis=1)


CLEAN = voice(SEED)
TALK = "It is on the table."
HEADER = (
    b"RIFF"
    + struct.pack("<I", 36)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
)
NO_SOUND = HEADER + b"data" + struct.pack("<I", 0)
SPIKED = np.where(np.arange(len(CLEAN)) == 500, np.nan, CLEAN)
CUT_OFF = np.clip(6 * CLEAN, -1, 1)
ZH = ["--source.language", "zh"]
LIST = ["--source.reader", "list"]

CASES = [
    Case("B1", "missing transcript", remove("1/1_1_d1.txt"), "missing_transcript"),
    Case("B2", ".lab instead of .txt", all_lab, fate="same", exit=0),
    Case("B3", "empty transcript", text(" \n"), "empty_transcript"),
    Case("B4", "missing turn", remove("1/1_1_d1.wav", "1/1_1_d1.txt"), "gap", exit=0),
    Case("B4b", "transcript without audio", remove("1/1_1_d1.wav"), "missing_audio"),
    Case("B5", "name of another form", rename_turn("hello"), "bad_name"),
    Case(
        "B6",
        "extra wav",
        lambda root: void(shutil.copy(_wav(root), root / "1" / "noise.wav")),
        "bad_name",
        fate="same",
    ),
    Case(
        "B6b",
        "macOS ._ file",
        lambda root: void((root / "1" / "._0_0_d1.wav").write_bytes(b"\0\5\x16\7")),
        "hidden_file",
        fate="same",
        exit=0,
    ),
    Case(
        "B7",
        ".WAV",
        lambda root: void(_wav(root).rename(root / "1" / "1_1_d1.WAV")),
        fate="same",
        exit=0,
    ),
    Case("B8", "speaker with _", rename_turn("1_spk_a_d1"), fate="kept", exit=0),
    Case(
        "B9",
        "dialogue of letters",
        rename_dialogue("dwav2d"),
        fate="same",
        exit=0,
        rename=("t/1/", "t/dwav2d/"),
    ),
    Case("B10", "| in text", text("It is | on the table."), fate="kept", exit=0),
    Case("B11", "newline in text", text("It is\non the table."), fate="same", exit=0),
    Case(
        "B12",
        "trailing newlines",
        every_text(lambda t: f"{t}\n\n".encode()),
        fate="same",
        exit=0,
    ),
    Case("B13", "CRLF", every_text(lambda t: f"{t}\r\n".encode()), fate="same", exit=0),
    Case("B14", "tab in text", text("It is\ton the\ttable."), fate="same", exit=0),
    Case(
        "B15",
        "byte order mark",
        every_text(lambda t: b"\xef\xbb\xbf" + t.encode()),
        fate="same",
        exit=0,
    ),
    Case("B16", "GBK", text("钥匙在桌子上。".encode("gbk")), "wrong_encoding"),
    Case("B16b", "UTF-16", text(TALK.encode("utf-16")), "wrong_encoding"),
    Case(
        "B16c",
        "GBK, encoding auto",
        text("钥匙在桌子上。".encode("gbk")),
        "not_utf8",
        fate="kept",
        exit=0,
        options=["--source.encoding", "auto"],
    ),
    Case(
        "B16d",
        "GBK, encoding gb18030",
        text("钥匙在桌子上。".encode("gbk")),
        "not_utf8",
        fate="kept",
        exit=0,
        options=["--source.encoding", "gb18030"],
    ),
    Case(
        "B17",
        "an emoji, ESC, NUL",
        text(f"{TALK} 😀\x1b\x00"),
        "removed_text",
        fate="kept",
        exit=0,
    ),
    Case("B17b", "mostly emoji", text("It 😀😀😀😀😀😀"), "unspeakable_text"),
    Case("B17c", "nothing but emoji", text("😀😀"), "no_speakable_text"),
    Case("B18", "Chinese in English", text("It is 钥匙, my friend."), fate="kept", exit=0),
    Case("B18b", "Hangul in English", text("It is 안녕 on the table"), "unsupported_script"),
    Case("B19", "^ in text", text("It is ^ on the table."), fate="kept", exit=0),
    Case("B20", "unknown tag", text("It is <LAUGH> there."), "unknown_tag"),
    Case("B21", "silence", sound(np.zeros(RATE)), "silent"),
    Case("B21b", "near silence", sound(1e-3 * CLEAN, subtype="FLOAT"), "silent"),
    Case("B22", "empty file", content(b""), "unreadable_audio"),
    Case("B22b", "100 samples", sound(CLEAN[:100]), "too_short"),
    Case("B22c", "header only", content(NO_SOUND), "too_short"),
    Case("B22d", "text as wav", content(b"hello\n" * 50), "unreadable_audio"),
    Case("B22e", "HTML as wav", content(b"<!doctype html><html></html>"), "unreadable_audio"),
    Case("B23", "NaN", sound(SPIKED, subtype="FLOAT"), "non_finite"),
    Case(
        "B23b",
        "Inf",
        sound(np.where(SPIKED == SPIKED, CLEAN, np.inf), subtype="FLOAT"),
        "non_finite",
    ),
    Case("B24", "antiphase stereo", sound(stereo(-CLEAN)), "antiphase"),
    Case(
        "B24b",
        "antiphase, left taken",
        sound(stereo(-CLEAN)),
        "antiphase",
        fate="kept",
        exit=0,
        options=["--audio.antiphase", "left"],
    ),
    Case(
        "B25", "float peak 1.2", sound(2.4 * CLEAN, subtype="FLOAT"), "clipped", fate="kept", exit=0
    ),
    Case("B25b", "cut-off tops", sound(CUT_OFF), "clipped"),
    Case(
        "B26",
        "8 kHz",
        sound(voice(SEED, rate=8000), rate=8000),
        "low_bandwidth",
        fate="kept",
        exit=0,
    ),
    Case(
        "B26b",
        "8 kHz, 16 kHz asked",
        sound(voice(SEED, rate=8000), rate=8000),
        "low_bandwidth",
        options=["--audio.min_sample_rate", "16000"],
    ),
    Case("B27", "6 channels", sound(np.stack([CLEAN] * 6, axis=1)), fate="kept", exit=0),
    Case("B27b", "float64", sound(CLEAN, subtype="DOUBLE"), fate="kept", exit=0),
    Case("B27c", "24 bit", sound(CLEAN, subtype="PCM_24"), fate="kept", exit=0),
    Case("B27d", "unsigned 8 bit", sound(CLEAN, subtype="PCM_U8"), fate="kept", exit=0),
    Case("B27e", "stereo", sound(stereo(0.5 * CLEAN)), fate="kept", exit=0),
    Case("B28", "truncated wav", truncated, "truncated"),
    Case("B28b", "text of another turn", text(f"{TALK} " * 20), "phoneme_rate"),
    Case("B29", "60 s turn", sound(voice(SEED, 60.0)), "too_long"),
    Case("B31", "one place, two speakers", twice, "duplicate_turn"),
    Case(
        "B32",
        "brackets and space",
        rename_dialogue("[x] y"),
        fate="same",
        exit=0,
        rename=("t/1/", "t/[x] y/"),
    ),
    Case("B33", "link loop", loop, "linked_folder", fate="same", exit=0),
    Case(
        "B33b",
        "nested folders",
        rename_dialogue("1", folder="a/b"),
        fate="same",
        exit=0,
        rename=("t/1/", "t/a/b/1/"),
    ),
    Case("B34", "Windows paths", windows_list, fate="same", exit=0, options=LIST),
    Case("B40", "folder called x.wav", folder_like_audio, "folder_like_audio", "same", 0),
    Case(
        "B40b",
        "Chinese folder",
        rename_dialogue("对话一"),
        fate="same",
        exit=0,
        rename=("t/1/", "t/对话一/"),
    ),
    Case("B40c", "broken link", broken_link, "unreadable_audio"),
]
