"""Result of the benchmark: claims, all seeds together, tables, figure, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean
from GPT_SoVITS.evaluation.page import html_table, inline_figure, markdown_table, page
from GPT_SoVITS.plots import interval_rows

Cells = tuple[list[str], list[list[str]]]
NEAR = 0.1
ENOUGH, LISTENS = 0.85, 0.8
TITLES = {
    "full": "full history",
    "text": "text-only history",
    "speech": "speech-only history",
    "none": "no history",
    "shuffled": "another dialogue's history",
    "turns=1": "last turn",
    "turns=2": "last 2 turns",
    "turns=3": "last 3 turns",
}


def checks(models: Mapping[str, Any], chance: float) -> dict[str, bool]:
    """What the benchmark claims, true or false."""
    main = models["history"]
    full, shuffled = main["full"]["agreement"], main["shuffled"]

    def near(entry: Mapping[str, Any]) -> bool:
        return bool(abs(entry["agreement"]["mean"] - chance) <= NEAR)

    others = ("text", "none", "shuffled")
    found = {
        f"full history: agreement of {ENOUGH} or more": full["mean"] >= ENOUGH,
        "text only: within 0.1 of chance": near(main["text"]),
        "no history: within 0.1 of chance": near(main["none"]),
        "another dialogue's history: within 0.1 of chance": near(shuffled),
        f"another dialogue's history: follows it, {LISTENS} or more": shuffled[
            "agreement_with_given"
        ]["mean"]
        >= LISTENS,
        "intervals of full history and of these three do not overlap": all(
            full["low"] > main[name]["agreement"]["high"] for name in others
        ),
    }
    if "no_history" in models:
        found["trained without history: within 0.1 of chance"] = near(models["no_history"]["none"])
    if "control" in models:
        found["control: within 0.1 of chance"] = near(models["control"]["full"])
    return found


def pooled(results: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> dict[str, Any]:
    """Results of the seeds -> one: every answer of every seed, dialogues drawn together."""
    first = results[0]
    models: dict[str, Any] = {}
    for name, conditions in first["models"].items():
        models[name] = {}
        for condition in conditions:
            entries = [result["models"][name][condition] for result in results]
            joined = {}
            for hits, title in (
                ("hits", "agreement"),
                ("hits_given", "agreement_with_given"),
            ):
                if hits in entries[0]:
                    values = [value for entry in entries for value in entry[hits]]
                    joined[title] = bootstrap_mean(values, list(groups) * len(entries)).as_dict()
            models[name][condition] = joined | {"silent": sum(e["silent"] for e in entries)}
    return {
        "chance": first["chance"],
        "exam": first["exam"],
        "training": first["training"],
        "models": models,
        "checks": checks(models, first["chance"]),
        "seeds": {str(result["seed"]): result for result in results},
    }


def write_report(folder: Path, whole: Mapping[str, Any]) -> None:
    """report.md, report.html and figure.png."""
    tables = {
        "Style agreement of generated tokens": agreement_table(whole),
        "Sound of the replies": sound_table(whole),
        "Stage 2 on the recordings' tokens": arms_table(whole),
        "What stage 2 gains from the history (paired)": pairs_table(whole),
        "Claims": claims_table(whole),
    }
    tables = {title: cells for title, cells in tables.items() if cells[1]}
    notes = honest_notes(whole)
    md = ["# Controlled benchmark", *notes]
    md += [f"## {title}\n\n{markdown_table(*cells)}" for title, cells in tables.items()]
    (folder / "report.md").write_text("\n\n".join(md) + "\n", encoding="utf-8")
    figure = interval_rows(
        {
            name: {
                TITLES[condition]: tuple(entry["agreement"][k] for k in ("mean", "low", "high"))
                for condition, entry in conditions.items()
            }
            for name, conditions in whole["models"].items()
        },
        label="style agreement of generated tokens",
        lines={"chance": whole["chance"]},
    )
    figure.savefig(folder / "figure.png", dpi=110)
    parts = ['<div class="note">' + "<br>".join(map(escape, notes)) + "</div>"]
    parts.append(inline_figure(figure, title="Does the history matter?"))
    parts += [f"<h2>{escape(title)}</h2>" + html_table(*cells) for title, cells in tables.items()]
    (folder / "report.html").write_text(page("Controlled benchmark", parts), encoding="utf-8")


def honest_notes(whole: Mapping[str, Any]) -> list[str]:
    """What was asked, of whom, and who judged."""
    exam, training = whole["exam"], whole["training"]
    text = exam["text_probe"]
    seconds = {n: s for r in whole["seeds"].values() for n, s in r.get("seconds", {}).items()}
    notes = [
        f"{exam['items']} responses of {exam['dialogues']} dialogues, styles {exam['styles']}; "
        f"chance {whole['chance']:.2f}; seeds {', '.join(whole['seeds'])}; intervals are 95 %, "
        "over dialogues.",
        f"Rule: {exam['rule']} (explains {exam['rule_agreement']:.3f} of the corpus). Trained on "
        f"{training['responses']} responses of {len(training['voices'])} voices; test voices "
        "and sentences are others.",
        f"Token probe on the recordings' own tokens: {exam['token_probe']:.3f}. Text probe (style "
        f"from the response's text): {text['mean']:.3f} [{text['low']:.3f}, {text['high']:.3f}].",
    ]
    if seconds:
        spent = ", ".join(f"{name} {s:.0f} s" for name, s in seconds.items())
        notes.append(f"Wall time on this machine, last seed: {spent}.")
    return notes


def agreement_table(whole: Mapping[str, Any]) -> Cells:
    """A row per model and condition, a column per seed."""
    rows = []
    for name, conditions in whole["models"].items():
        for condition, entry in conditions.items():
            each = [
                f"{result['models'][name][condition]['agreement']['mean']:.3f}"
                for result in whole["seeds"].values()
            ]
            given = entry.get("agreement_with_given")
            shown = interval(given) if given else "–"
            rows.append([name, TITLES[condition], interval(entry["agreement"]), *each, shown])
    head = ["model", "history", "agreement (95 %)", *(f"seed {s}" for s in whole["seeds"])]
    return [*head, "agreement with the rule of the given history"], rows


def sound_table(whole: Mapping[str, Any]) -> Cells:
    """Judged sound of every seed that has some."""
    rows = []
    for seed, result in whole["seeds"].items():
        for name, entry in result.get("sound", {}).items():
            if name == "items":
                continue
            plain = name == "recordings"
            given = None if plain else entry.get("agreement_with_given")
            agreement = entry if plain else entry["agreement"]
            rows.append([seed, name, interval(agreement), interval(given) if given else "–"])
    return ["seed", "sound of", "agreement (95 %)", "with the given history"], rows


def arms_table(whole: Mapping[str, Any]) -> Cells:
    """Arms of stage 2."""
    rows = [
        [seed, arm, *(interval(measures.get(m)) for m in UNITS)]
        for seed, result in whole["seeds"].items()
        for arm, measures in result.get("enrichment", {}).get("arms", {}).items()
    ]
    return ["seed", "arm", *UNITS.values()], rows


def pairs_table(whole: Mapping[str, Any]) -> Cells:
    """Differences of arms on the same items; an interval that holds zero shows no effect."""
    rows = []
    for seed, result in whole["seeds"].items():
        for pair, measures in result.get("enrichment", {}).get("pairs", {}).items():
            cells = [
                f"{interval(m)}, p {m['p_value']:.3f}" if m else "–"
                for m in (measures.get(name) for name in UNITS)
            ]
            rows.append([seed, pair, *cells])
    return ["seed", "difference", *UNITS.values()], rows


UNITS = {
    "style_agreement": "style agreement",
    "log_f0_error": "log-F0 error (semitones)",
    "energy_error": "energy error (dB)",
}


def claims_table(whole: Mapping[str, Any]) -> Cells:
    """What holds."""
    rows = [[claim, "yes" if holds else "**no**"] for claim, holds in whole["checks"].items()]
    return ["claim", "holds"], rows


def interval(values: Mapping[str, Any] | None) -> str:
    """Mean and interval in one cell."""
    if not values:
        return "–"
    return f"{values['mean']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"
