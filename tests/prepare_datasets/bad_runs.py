"""Runs every case of bad input against clean corpora and says what came out.

clean      the corpus as it is: its quantizer and statistics are frozen for all other runs
without    the same without the turn that a case spoils: what good items must be next to a
           turn that was left out (tokens follow from what was heard before, gaps cut history)
"""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from prepare_datasets import judge, step3_speech
from tests.prepare_datasets.bad_cases import BAD, CASES, Case, remove, sound
from tests.prepare_datasets.runs import freeze, ledger, prepare, products, report, tree
from tests.prepare_datasets.sounds import write_corpus


@dataclass(frozen=True)
class Verdict:
    """One line of the table."""

    name: str
    title: str
    expected: str
    got: str
    intact: bool

    @property
    def passed(self) -> bool:
        """Whether everything is as it must be."""
        return self.expected == self.got and self.intact


class Bench:
    """The two clean runs, and a folder for the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = write_corpus(folder / "clean_raw")
        assert prepare(self.raw, folder / "clean") == 0
        gone = write_corpus(folder / "without_raw")
        remove("1/1_1_d1.wav", "1/1_1_d1.txt")(gone)
        freeze(folder / "clean", folder / "without")
        assert prepare(gone, folder / "without") == 0
        self.clean, self.without = products(folder / "clean"), products(folder / "without")

    def new(self, name: str) -> tuple[Path, Path]:
        """A fresh raw folder and an output folder with the frozen quantizer."""
        raw, output = write_corpus(self.folder / f"{name}_raw"), self.folder / name
        freeze(self.folder / "clean", output)
        return raw, output

    def check(self, case: Case) -> Verdict:
        """Run one case."""
        raw, output = self.new(case.name)
        case.spoil(raw)
        code = prepare(raw, output, *case.options)
        made = {back(name, case): values for name, values in products(output).items()}
        codes = {entry["code"] for entry in ledger(output)}
        got = case.code if case.code in codes else ",".join(sorted(codes))
        counts = report(output)
        total = counts["kept"] + counts["quarantined"] + counts["dropped"]
        stays = (BAD in made) == (case.fate != "left out")
        intact = self._intact(case, made) and stays and counts["in"] == total
        expected = f"{case.code or 'accepted'} exit {case.exit}"
        return Verdict(case.name, case.title, expected, f"{got or 'accepted'} exit {code}", intact)

    def _intact(self, case: Case, made: dict[str, dict]) -> bool:
        """Whether all good items are what they are in a clean run."""
        expected = self.without if case.fate == "left out" else self.clean
        good = {name for name in expected if case.fate == "same" or name != BAD}
        if not good <= made.keys() or made.keys() - good - {BAD}:
            return False
        return all(
            part(made[name], key, case) == part(expected[name], key, case)
            for name in good
            for key in ("text", "audio", "codes", "s2")
            # A speaker's later tokens follow from the earlier ones, which are other tokens here.
            if not (case.fate == "kept" and name == "t/1/3" and key in ("codes", "s2"))
        )


def back(name: str, case: Case) -> str:
    """Id of the clean corpus."""
    clean, here = case.rename
    return clean + name.removeprefix(here) if here and name.startswith(here) else name


def part(values: dict, key: str, case: Case) -> object:
    """A product without the names that a renamed dialogue changes."""
    value = values[key]
    if not case.rename[1] or key in ("audio", "codes"):
        return value
    names = ("id", "dialogue", "audio", "history", "split")
    return {name: one for name, one in value.items() if name not in names}


def special(bench: Bench) -> list[Verdict]:
    """Cases that are more than a spoiled turn."""
    cases: list[tuple[str, str, str, Callable[[Bench], tuple[str, bool]]]] = [
        ("B30", "one dialogue id, two corpora", "24 kept exit 0", two_corpora),
        ("B35", "killed during step 2", "killed, exit 0", killed),
        ("B36", "run again", "exit 0", again),
        ("B37", "no usable item", "silent exit 3", nothing_usable),
        ("B38", "features NaN", "bad_features exit 3", lambda b: nan_features(b, "B38", 1)),
        ("B39", "features NaN again", "bad_features exit 3", lambda b: nan_features(b, "B39", 2)),
        ("B40d", "permission denied", "unreadable_audio exit 3", forbidden),
        ("B40e", "disk full, then not", "exit 4, exit 0", disk_full),
        ("B40f", "config error", "exit 2", config_error),
    ]
    return [Verdict(name, title, expected, *run(bench)) for name, title, expected, run in cases]


def two_corpora(bench: Bench) -> tuple[str, bool]:
    """The same names in two folders: both are kept apart."""
    raw, output = bench.folder / "B30_raw", bench.folder / "B30"
    write_corpus(raw / "a")
    write_corpus(raw / "b")
    sound(np.flip(judge.read_recording(raw / "b/1/1_1_d1.wav", max_seconds=9).samples[:, 0]))(
        raw / "b"
    )
    freeze(bench.folder / "clean", output)
    code, made = prepare(raw, output), products(output)
    same = made["t/a/1/0"]["audio"] == made["t/b/1/0"]["audio"] == bench.clean["t/1/0"]["audio"]
    apart = made["t/a/1/1"]["audio"] != made["t/b/1/1"]["audio"]
    return f"{len(made)} kept exit {code}", same and apart


def killed(bench: Bench) -> tuple[str, bool]:
    """SIGKILL in the middle of step 2; the next run gives the tree of an undisturbed one."""
    raw, output = bench.new("B35")
    child = os.fork()
    if child == 0:
        calls = []

        def die(*arguments: object) -> object:
            calls.append(arguments)
            if len(calls) == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return step_two(*arguments)

        from prepare_datasets import step2_text

        step_two = step2_text.phonemes
        with mock.patch.object(step2_text, "phonemes", die):
            prepare(raw, output)
        os._exit(1)
    status = os.waitpid(child, 0)[1]
    dead = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    half = not (output / "2_text" / "step.json").exists()
    code = prepare(raw, output)
    return f"{'killed, ' * (dead and half)}exit {code}", products(output) == bench.clean


def again(bench: Bench) -> tuple[str, bool]:
    """A second run changes nothing."""
    raw, output = bench.new("B36")
    prepare(raw, output)
    before = tree(output)
    code = prepare(raw, output)
    return f"exit {code}", tree(output) == before


def nothing_usable(bench: Bench) -> tuple[str, bool]:
    """All recordings are silent: the ledger says so, nothing crashes."""
    raw, output = bench.folder / "B37_raw", bench.folder / "B37"
    write_corpus(raw)
    sound(np.zeros(22050))(raw)
    silence = (raw / "1" / "1_1_d1.wav").read_bytes()
    for path in raw.rglob("*.wav"):
        path.write_bytes(silence)
    code = prepare(raw, output)
    codes, counts = [entry["code"] for entry in ledger(output)], report(output)
    return f"{'+'.join(sorted(set(codes)))} exit {code}", counts["quarantined"] == len(codes) == 12


def nan_features(bench: Bench, name: str, times: int) -> tuple[str, bool]:
    """A feature extractor that gives NaN for one turn is asked once, and the turn left out."""
    raw, output = bench.new(name)
    asked, real = [], step3_speech.raw_features

    def broken(recipe: object, raw: Path, output: Path, turns: list[dict]) -> list:
        found = real(recipe, raw, output, turns)  # type: ignore[arg-type]
        for place, turn in enumerate(turns):
            if turn["id"] == BAD:
                asked.append(turn)
                found[place] = np.full((40, 4), np.nan, np.float32)
        return found

    with mock.patch.object(step3_speech, "raw_features", broken):
        code = prepare(raw, output)
    codes = {entry["code"] for entry in ledger(output)}
    made = products(output)
    good = all(made[name] == bench.without[name] for name in bench.without)
    return f"{'+'.join(sorted(codes))} exit {code}", good and len(
        asked
    ) <= times and BAD not in made


def forbidden(bench: Bench) -> tuple[str, bool]:
    """A file that may not be read; simulated, as root may read everything."""
    raw, output = bench.new("B40d")
    real = judge.read_recording

    def read(path: Path, **options: float) -> object:
        if path.name == "1_1_d1.wav":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, **options)

    with mock.patch.object(judge, "read_recording", read):
        code = prepare(raw, output)
    codes = {entry["code"] for entry in ledger(output)}
    return f"{'+'.join(sorted(codes))} exit {code}", products(output) == bench.without


def disk_full(bench: Bench) -> tuple[str, bool]:
    """No space for the sixth recording; with space again the run goes on."""
    raw, output = bench.new("B40e")
    real, written = step3_speech.save_audio, []

    def save(*arguments: object) -> object:
        written.append(arguments)
        if len(written) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)  # type: ignore[arg-type]

    with mock.patch.object(step3_speech, "save_audio", save):
        full = prepare(raw, output)
    code = prepare(raw, output)
    return f"exit {full}, exit {code}", products(output) == bench.clean


def config_error(bench: Bench) -> tuple[str, bool]:
    """A key that does not exist."""
    raw, output = bench.new("B40f")
    return f"exit {prepare(raw, output, '--audio.min_second', '1')}", True


def all_verdicts() -> list[Verdict]:
    """The whole table."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        verdicts = [bench.check(case) for case in CASES] + special(bench)
    return sorted(verdicts, key=lambda one: (int("".join(filter(str.isdigit, one.name))), one.name))
