"""`[S1] … [S2] …`: dialogues as MOSS-TTSD, FireRedTTS and Dia exchange them, in and out.

    {"id": "d1", "text": "[S1] Hello. [S2] Hi there.", "audio": ["d1/0.wav", "d1/1.wav"]}

As training data a script needs a recording per turn; text alone becomes a dialogue.json:

    python -m prepare_datasets.readers.scripts --import scripts.jsonl --output DIR
    python -m prepare_datasets.readers.scripts --export data/demo --output scripts.jsonl
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, read_jsonl, write_json
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.files import usable_id
from prepare_datasets.readers.rows import Row
from prepare_datasets.readers.turn import STAGE

TAG = re.compile(r"\[S(\d+)\]", re.IGNORECASE)


def parse_script(text: str) -> list[tuple[str, str]]:
    """`[S1] a [S2] b` -> [("S1", "a"), ("S2", "b")]; text before the first tag is an error."""
    pieces = TAG.split(text)
    if pieces[0].strip() or len(pieces) < 3:
        raise ValueError(f"a script begins with [S1]; this one with {text.strip()[:30]!r}")
    turns = [(f"S{int(n)}", " ".join(t.split())) for n, t in zip(pieces[1::2], pieces[2::2])]
    if not all(text for _, text in turns):
        raise ValueError("a turn of the script is empty")
    return turns


def write_script(turns: Iterable[tuple[str, str]]) -> str:
    """[(speaker, text)] -> `[S1] … [S2] …`, speakers numbered as they appear.

    Raises `ValueError`.
    """
    numbers: dict[str, int] = {}
    parts = []
    for speaker, text in turns:
        if TAG.search(text):
            raise ValueError(f"the text of a turn holds a speaker tag: {text[:40]!r}")
        parts.append(f"[S{numbers.setdefault(speaker, len(numbers) + 1)}] {' '.join(text.split())}")
    return " ".join(parts)


def script_rows(path: Path, root: Path) -> Iterator[Row | Entry]:
    """Turns of scripts that come with their recordings."""
    below = path.parent.relative_to(root).as_posix()
    prefix = "" if below == "." else below + "/"
    for number, script in enumerate(read_jsonl(path), 1):
        where = f"{path.relative_to(root).as_posix()}:{number}"
        try:
            turns = parse_script(str(script.get("text", "")))
        except ValueError as error:
            yield Entry(where, where, STAGE, "bad_row", str(error))
            continue
        audio = script.get("audio")
        if not isinstance(audio, list) or len(audio) != len(turns):
            message = "a script needs one recording per turn, in `audio`"
            given = len(audio) if isinstance(audio, list) else 0
            yield Entry(where, where, STAGE, "bad_row", message, given, len(turns))
            continue
        name = str(script.get("id", number - 1))
        for index, ((speaker, text), wav) in enumerate(zip(turns, audio)):
            language = str(script.get("language", ""))
            yield Row(where, prefix + str(wav), text, speaker, language, name, index)


def import_scripts(path: Path, output: Path) -> int:
    """Each script as a dialogue.json that `inference.py` reads: its last turn is the response.

    Raises `PrepareError`.
    """
    count = 0
    for number, script in enumerate(read_jsonl(path)):
        *history, last = parse_script(str(script.get("text", "")))
        name = str(script.get("id", number))
        if not usable_id(name):
            raise PrepareError(f"{path}: id {name!r} cannot be a file name")
        language = script.get("language", "auto")
        turns = [{"speaker": s, "text": t, "language": language} for s, t in history]
        response = {"speaker": last[0], "text": last[1], "language": language}
        dialogue = {"schema_version": 1, "turns": turns, "response": response}
        write_json(output / f"{name}.json", dialogue)
        count += 1
    return count


def export_scripts(data: Path, output: Path) -> int:
    """Dialogues of a prepared data set as scripts, with the 32 kHz recording of each turn."""
    with AtomicFile(output) as file:
        for split in ("train", "valid"):
            for dialogue in read_jsonl(data / "5_sequences" / f"s1_{split}.jsonl"):
                turns = dialogue["turns"]
                text = write_script((turn["speaker"], turn["text"]) for turn in turns)
                audio = [f"3_speech/audio/{turn['id']}.flac" for turn in turns]
                file.add({"id": dialogue["dialogue"], "text": text, "audio": audio})
        return file.count


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert; prints how many dialogues."""
    parser = argparse.ArgumentParser(description="Dialogue scripts with [S1] tags, in and out")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--import", dest="scripts", type=Path, help="JSONL of scripts")
    way.add_argument("--export", dest="data", type=Path, help="prepared data set")
    parser.add_argument("--output", type=Path, required=True)
    values = parser.parse_args(arguments)
    try:
        if values.scripts is not None:
            count = import_scripts(values.scripts, values.output)
        else:
            count = export_scripts(values.data, values.output)
    except (PrepareError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    sys.stdout.write(json.dumps({"dialogues": count}) + "\n")


if __name__ == "__main__":
    main()
