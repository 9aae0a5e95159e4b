"""A prepared corpus in the forms other projects read: `python -m prepare_datasets.export_corpus`.

    --form list          corpus.list          wav|speaker|EN|text|dialogue
    --form jsonl, csv    corpus.jsonl, .csv   audio, text, speaker, language, dialogue, index, …
    --form gpt_sovits    2-name2text.txt (4 fields), 6-name2semantic.tsv (2 columns), 5-wav32k/
    --form gpt_talker    2-name2text.txt (7 fields), 6-name2semantic.tsv (3 columns), train.list,
                         slicer_opt.list, 5-wav32k/; history of so many turns as the corpus has

The readers of this project take each of them back. The published `.npy` files are pickles and are
not written. Paths in the manifests are below the prepared folder. Exit codes: 0 done, 2 refused.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.audio.io import load_audio, save_audio
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, Record, read_jsonl, write_text
from prepare_datasets.pipeline import aligned

log = logging.getLogger("prepare_datasets")
COLUMNS = ("audio", "text", "speaker", "language", "dialogue", "index", "role", "style")


@dataclass(frozen=True)
class Corpus:
    """The kept turns of a prepared folder, in order."""

    folder: Path

    def turns(self) -> Iterator[Record]:
        """What every step says of a turn; `history` has the ids of those before it."""
        steps = ("1_dialogues", "2_text", "3_speech", "4_semantic")
        streams = [read_jsonl(self.folder / step / "turns.jsonl") for step in steps]
        kept = {
            line["id"]: line["history"]
            for split in ("train", "valid")
            for line in read_jsonl(self.folder / "5_sequences" / f"s2_{split}.jsonl")
        }
        for turn, text, sound, codes in aligned(*streams):
            if turn["id"] in kept:
                told = {key: text[key] for key in ("phonemes", "word2ph", "normalized")}
                told |= {"language": text["language"], "history": kept[turn["id"]]}
                yield turn | told | {"audio": sound["audio"], "codes": codes["codes"]}

    def check(self) -> None:
        """Raise unless all five steps are finished."""
        if not (self.folder / "5_sequences" / "step.json").is_file():
            raise PrepareError(f"{self.folder} is not prepared; run `python -m prepare_datasets`")


def export(data: Path, output: Path, form: str) -> int:
    """Write one form into the folder `output`; how many turns. Raises `PrepareError`."""
    corpus = Corpus(data)
    corpus.check()
    if output.resolve() == data.resolve() and form.startswith("gpt_"):
        raise PrepareError("choose another folder than the corpus's own")
    return FORMS[form](corpus, output)


def _list(corpus: Corpus, output: Path) -> int:
    with AtomicFile(output / "corpus.list") as file:
        for turn in corpus.turns():
            fields = [turn["audio"], _local(turn, "speaker"), turn["language"].upper()]
            file.write("|".join([*map(_field, [*fields, turn["text"], _dialogue(turn)])]) + "\n")
        return file.count


def _field(text: str) -> str:
    """A field of a `.list`, which knows no quotes."""
    return text.replace("|", ",")


def _row(turn: Record) -> dict[str, Any]:
    row = {key: turn.get(key) for key in COLUMNS}
    row |= {"speaker": _local(turn, "speaker"), "dialogue": _dialogue(turn)}
    row["style"] = (turn.get("style") or {}).get("name")
    return {key: value for key, value in row.items() if value is not None}


def _jsonl(corpus: Corpus, output: Path) -> int:
    with AtomicFile(output / "corpus.jsonl") as file:
        for turn in corpus.turns():
            file.add(_row(turn))
        return file.count


def _csv(corpus: Corpus, output: Path) -> int:
    text, count = io.StringIO(), 0
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for turn in corpus.turns():
        writer.writerow(_row(turn))
        count += 1
    write_text(output / "corpus.csv", text.getvalue())
    return count


def _gpt_sovits(corpus: Corpus, output: Path) -> int:
    names = _names(corpus)
    with (
        AtomicFile(output / "2-name2text.txt") as texts,
        AtomicFile(output / "6-name2semantic.tsv") as codes,
    ):
        codes.write("item_name\tsemantic_audio\n")
        for turn in corpus.turns():
            name = names[turn["id"]]
            word2ph = "None" if turn["word2ph"] is None else json.dumps(turn["word2ph"])
            texts.write(_tabs(name, " ".join(turn["phonemes"]), word2ph, turn["normalized"]))
            codes.write(_tabs(name, _spaced(turn["codes"])))
            _sound(corpus, turn, output / "5-wav32k" / name)
        return texts.count


def _gpt_talker(corpus: Corpus, output: Path) -> int:
    names = _names(corpus)
    recent: dict[str, Record] = {}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(AtomicFile(output / name))
            for name in ("slicer_opt.list", "2-name2text.txt", "6-name2semantic.tsv", "train.list")
        }
        files["6-name2semantic.tsv"].write("item_name\tsemantic_audio\tsemantic_len\n")
        for turn in corpus.turns():
            if any(one["dialogue"] != turn["dialogue"] for one in recent.values()):
                recent = {}
            recent[turn["id"]] = turn
            window = [recent[id_] for id_ in (*turn["history"], turn["id"])]
            for file, line in _talker_lines(names[turn["id"]], turn, window, names).items():
                files[file].write(line)
            _sound(corpus, turn, output / "5-wav32k" / names[turn["id"]])
        return files["train.list"].count


def _talker_lines(
    name: str, turn: Record, window: Sequence[Record], names: dict[str, str]
) -> dict[str, str]:
    phonemes = [len(one["phonemes"]) for one in window]
    lengths = [len(one["codes"]) for one in window]
    speakers = [names[one["id"]].split("_")[1] for one in window]
    chinese = turn["language"] == "zh"
    word2ph = [n for one in window for n in one["word2ph"] or ()] if chinese else []
    language = turn["language"].upper()
    wav, text = f"5-wav32k/{name}", _field(turn["text"])
    return {
        "slicer_opt.list": f"{wav}|{language}_{language}_{speakers[-1]}|{language}|{text}\n",
        "2-name2text.txt": _tabs(
            name,
            " ".join(symbol for one in window for symbol in one["phonemes"]),
            json.dumps(word2ph),
            " ".join(one["normalized"] for one in window),
            json.dumps(phonemes),
            json.dumps(phonemes if chinese else []),
            repr(speakers),
        ),
        "6-name2semantic.tsv": _tabs(
            name, _spaced([code for one in window for code in one["codes"]]), json.dumps(lengths)
        ),
        "train.list": f"{[name, sum(lengths), sum(phonemes)]!r}\n",
    }


def _names(corpus: Corpus) -> dict[str, str]:
    """id -> `<turn>_<speaker>_d<dialogue>.wav`, speakers numbered, no `_` in a dialogue's name."""
    voices = list(dict.fromkeys(turn["speaker"] for turn in corpus.turns()))
    own = [voice.rpartition("/")[2] for voice in voices]
    numbered = len(set(own)) == len(own) and all(name.isdecimal() for name in own)
    speakers = dict(zip(voices, map(int, own) if numbered else range(len(own)), strict=True))
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for turn in corpus.turns():
        speaker = speakers[turn["speaker"]]
        dialogue = "".join(c if c.isalnum() or c in "-." else "-" for c in _dialogue(turn))
        name = f"{turn['index']}_{speaker}_d{dialogue}.wav"
        if taken.setdefault(name.casefold(), turn["id"]) != turn["id"]:
            raise PrepareError(f"{turn['id']} and {taken[name.casefold()]} would share {name}")
        names[turn["id"]] = name
    return names


def _dialogue(turn: Record) -> str:
    return _local(turn, "dialogue")


def _local(turn: Record, key: str) -> str:
    """Without the corpus's name, which readers put in front."""
    return str(turn[key]).partition("/")[2] or str(turn[key])


def _tabs(*fields: str) -> str:
    return "\t".join(" ".join(field.split()) for field in fields) + "\n"


def _spaced(codes: Sequence[int]) -> str:
    return " ".join(map(str, codes))


def _sound(corpus: Corpus, turn: Record, target: Path) -> None:
    """The recording as 16-bit WAV at 32 kHz; one that is there and newer stays."""
    source = corpus.folder / turn["audio"]
    if not target.is_file() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
        save_audio(target, load_audio(source))


FORMS: dict[str, Callable[[Corpus, Path], int]] = {
    "list": _list,
    "jsonl": _jsonl,
    "csv": _csv,
    "gpt_sovits": _gpt_sovits,
    "gpt_talker": _gpt_talker,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Export and say how many turns."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(
        prog="python -m prepare_datasets.export_corpus",
        description="A prepared corpus in the forms other projects read.",
        allow_abbrev=False,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpus")
    parser.add_argument("--form", choices=sorted(FORMS), required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    values = parser.parse_args(arguments)
    try:
        count = export(values.data, values.output, values.form)
    except (PrepareError, OSError) as error:
        log.error("error: %s", error)
        return 2
    log.info("%d turns in %s", count, values.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
