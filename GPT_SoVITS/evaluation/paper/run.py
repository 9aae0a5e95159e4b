"""`python -m GPT_SoVITS paper --config configs/paper/<row>.yaml`: a row of the paper's tables.

Trains its stages (or loads a talker), speaks held-out responses, scores them, and prints every row
of its table that has been run so far beside what the paper published. What is done is kept: rows
share the stages they have in common, and a row that was killed goes on.

SSIM is the cosine of speaker embeddings between reply and recording, DTWD the distance of their
pitch curves along a DTW path in semitones (and z-scored): our definitions, because the paper gives
none (encoder, extractor, unit). So figures compare within a table, in order and sign; the paper's
own noise between tables is 0.02 SSIM and 4 DTWD. DMOS needs listeners (evaluation.listening).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.talker_folder import copy_atomic
from GPT_SoVITS.evaluation.command import config_of
from GPT_SoVITS.evaluation.loop import run as loop
from GPT_SoVITS.evaluation.loop.config import EvaluateConfig, ItemsConfig
from GPT_SoVITS.evaluation.page import markdown_table
from GPT_SoVITS.evaluation.paper.config import PaperConfig, Stage
from GPT_SoVITS.training.train_s1 import main as train_s1
from GPT_SoVITS.training.train_s2 import main as train_s2

log = logging.getLogger(__name__)
OURS = {"ssim": "speaker_similarity", "dtwd": "dtwd_semitones", "dtwd_z": "dtwd_normalised"}
BETTER = {"ssim": 1, "dtwd": -1}


def talker_of(config: PaperConfig) -> Path:
    """The trained talker folder of a row."""
    if config.talker:
        return Path(config.talker)
    before: Path | None = None
    for number, stage in enumerate(config.stages):
        before = train_stage(config, config.stage_folder(number), stage, before)
    assert before is not None
    return before


def train_stage(config: PaperConfig, run: Path, stage: Stage, before: Path | None) -> Path:
    """One stage -> its talker folder; a network it does not train is the stage's before.

    Raises `ValueError`.
    """
    talker = run / "talker"
    data = config.folders[stage.corpus]
    common = ["--data.folder", data, "--run.folder", str(run), "--run.seed", str(config.seed)]
    if before is not None:
        common += ["--run.init_from", str(before)]
    turns = config.trained_turns - 1 if stage.history else 0
    if "s2" in stage.networks and not (talker / "s2.safetensors").is_file():
        heard = [] if turns else ["--model.style", "off", "--model.text", "off"]
        train_s2(["--config", config.s2, *common, *heard, *config.train_s2])
    if "s1" in stage.networks and not (talker / "s1.safetensors").is_file():
        layout = ["--layout.order", config.order, "--layout.history_turns", str(turns)]
        train_s1(["--config", config.s1, *common, *layout, *config.train_s1])
    if before is not None:
        carry(before, talker)
    for name in ("s1", "s2"):
        if not (talker / f"{name}.safetensors").is_file():
            raise ValueError(f"{run}: no stage so far trains {name}; the first must train both")
    return talker


def carry(before: Path, talker: Path) -> None:
    """Files of the talker before that this stage did not make anew."""
    for source in sorted(before.rglob("*")):
        target = talker / source.relative_to(before)
        if source.is_file() and not target.is_file() and "adapters" not in source.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_atomic(source, target)


def run(config: PaperConfig) -> dict[str, Any]:
    """One row -> its result, kept as <output>/<table>/<row>.json."""
    talker = talker_of(config)
    heard = config.turns - 1
    source = ItemsConfig(
        data=str(config.test_data), max_items=config.max_items, history_turns=heard
    )
    folder = Path(config.output) / config.table / config.slug
    summary = loop.run(
        EvaluateConfig(
            output=str(folder),
            source=source,
            models={"row": str(talker)},
            resynthesis=False,
            recognizers=(),
            window=heard,
            latency_items=0,
            speaker_network=config.speaker_network,
            seed=config.seed,
        )
    )
    against = summary["systems"]["row"]["against"]
    found = {name: against[metric] for name, metric in OURS.items() if metric in against}
    meta = json.loads((config.test_data / "5_sequences" / "meta.json").read_text(encoding="utf-8"))
    result = {
        "table": config.table,
        "row": config.row,
        "published": config.published,
        "published_data": config.published_data,
        "data": meta.get("name", config.test_data.name),
        "talker": str(talker),
        "speaker_network": config.speaker_network,
        "items": summary["items"],
        "ours": found,
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    folder.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return result


def rows_of(output: str | Path, table: str) -> list[dict[str, Any]]:
    """Every row of a table that has been run."""
    files = sorted((Path(output) / table).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def same_data(row: Mapping[str, Any]) -> bool:
    """Whether our figure is of the corpus the paper's figure is of."""
    wanted = str(row["published_data"]).lower().split("-")[0]
    return bool(wanted) and str(row["data"]).lower().startswith(wanted)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Paper and ours side by side, and whether the order agrees."""
    head = ["row", "SSIM paper", "SSIM ours", "DTWD paper", "DTWD ours (semitones)"]
    head += ["DTWD ours (z)", "N-DMOS / E-DMOS paper", "our data"]
    cells = []
    for row in rows:
        paper, ours = row["published"], row["ours"]
        marks = " / ".join(f"{paper[m]:.3f}" for m in ("n_dmos", "e_dmos") if m in paper) or "–"
        note = "" if same_data(row) else f" (other data than the paper's {row['published_data']})"
        if not paper:
            note = " (no such row in the paper)"
        cells.append(
            [
                row["row"],
                _number(paper.get("ssim")),
                _interval(ours.get("ssim")),
                _number(paper.get("dtwd")),
                _interval(ours.get("dtwd")),
                _interval(ours.get("dtwd_z")),
                marks,
                f"{row['data']}{note}, n {row['items']}",
            ]
        )
    return "\n\n".join([markdown_table(head, cells), *orderings(rows)])


def orderings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence per metric: pairs of rows whose order the paper states, and how many we share."""
    found = []
    for metric, sign in BETTER.items():
        known = [r for r in rows if metric in r["published"] and r["ours"].get(metric)]
        same = total = apart = 0
        for k, first in enumerate(known):
            for second in known[k + 1 :]:
                theirs = sign * (first["published"][metric] - second["published"][metric])
                a, b = first["ours"][metric], second["ours"][metric]
                ours = sign * (a["mean"] - b["mean"])
                total += 1
                same += theirs * ours > 0
                apart += a["low"] > b["high"] or b["low"] > a["high"]
        if total:
            found.append(
                f"{metric.upper()}: {same} of {total} pairs of rows in the paper's order; "
                f"intervals of {apart} do not overlap."
            )
    return found


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(values: Mapping[str, Any] | None) -> str:
    return f"{values['mean']:.3f} [{values['low']:.3f}, {values['high']:.3f}]" if values else "–"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a row, print its table."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = config_of(PaperConfig, arguments, name="paper", doc=__doc__, folder="configs/paper/")
    try:
        run(config)
    except loop.EvaluateError as error:
        log.error("%s", error)
        return 1
    print(f"## {config.table}\n\n{table(rows_of(config.output, config.table))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
