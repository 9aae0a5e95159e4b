"""Which tags a corpus's transcripts use, how often, and which of them no model will know.

    python -m prepare_datasets.count_tags --folder data/NAME --tags "<LAUGHS>,<SIGHS>"

Reads the turns of step 1, so that `text.tags` can be chosen before step 2 drops a turn for a tag
that is not declared (its ledger names each: `unknown_tag`). Prints a line per tag, the most used
first, then every turn that holds an undeclared one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser

from GPT_SoVITS.text.config import TAG
from GPT_SoVITS.text.markup import one_width
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import Record, read_jsonl


@dataclass(frozen=True)
class TagCensus:
    """Tags in capitals -> uses; ids of the turns with a tag that is not declared."""

    uses: Counter[str]
    undeclared: dict[str, tuple[str, ...]]
    """Turn -> its undeclared tags."""


def census(turns: Iterable[Record], declared: Iterable[str]) -> TagCensus:
    """Count every tag of every text, whatever its case and width."""
    known = {tag.upper() for tag in declared}
    uses: Counter[str] = Counter()
    undeclared = {}
    for turn in turns:
        found = [tag.upper() for tag in TAG.findall(one_width(turn["text"]))]
        uses.update(found)
        if others := tuple(dict.fromkeys(tag for tag in found if tag not in known)):
            undeclared[turn["id"]] = others
    return TagCensus(uses, undeclared)


def main(arguments: list[str] | None = None) -> int:
    """Print the census; 1 where a tag would drop a turn, 2 and an error without a corpus."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=str, required=True, help="a corpus after step 1")
    parser.add_argument("--tags", type=str, default="", help="declared tags, by commas")
    options = parser.parse_args(arguments)
    path = Path(options.folder) / "1_dialogues" / "turns.jsonl"
    try:
        if not path.is_file():
            raise PrepareError(f"{path} is missing; run `python -m prepare_datasets --steps 1`")
        declared = [tag.strip() for tag in options.tags.split(",") if tag.strip()]
        found = census(read_jsonl(path), declared)
    except PrepareError as error:
        print(error)
        return 2
    known = {tag.upper() for tag in declared}
    for tag, count in found.uses.most_common():
        print(f"{tag}\t{count}\t{'declared' if tag in known else 'not declared'}")
    for turn, tags in found.undeclared.items():
        print(f"{turn}: {' '.join(tags)} not declared")
    return 1 if found.undeclared else 0


if __name__ == "__main__":
    raise SystemExit(main())
