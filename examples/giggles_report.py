"""The report of a tag taught by LoRA, as Markdown: what examples.giggles_measure found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.giggle import TAG
from examples.giggles_measure import SAMPLING, TOLERANCE

SPOKEN = ("before", "after", "untagged", "base, untagged")


def markdown(found: Mapping[str, Any]) -> str:
    """The report."""
    tokens, same = found["ground_truth_tokens"], found["unchanged"]
    lines = [
        f"# {TAG}: a tag taught by LoRA",
        "",
        "The event is five 80 ms bursts of noise between 2 and 4 kHz before or after the words. "
        "The detector looks for stretches in which most energy below 8 kHz lies there "
        "(examples/giggle.py).",
        "",
        f"Sampling: {SAMPLING}.",
        "",
        "| event detected in | share | 95 % interval | of |",
        "| --- | --- | --- | --- |",
    ]
    rows = {
        "recordings with the tag (held out)": found["detector"]["recordings_with_tag"],
        "recordings without": found["detector"]["recordings_without"],
        **{f"ground-truth tokens, {name}": value for name, value in tokens.items()},
        "spoken with the tag before the words, new sentences": found["spoken"]["before"],
        "spoken with the tag after the words": found["spoken"]["after"],
        "**spoken with the tag, before and after together**": found["spoken"]["tagged"],
        "**the same sentences without it**": found["spoken"]["untagged"],
    }
    for name, x in rows.items():
        lines.append(
            f"| {name} | {100 * x['share']:.0f} % | {100 * x['low']:.0f}-{100 * x['high']:.0f} % "
            f"| {x['n']} |"
        )
    base, taught = same["s1_nats"]["base"], same["s1_nats"]["taught"]
    near, far = same["s2_mel_to_recording"]["base"], same["s2_mel_to_recording"]["taught"]
    lines += [
        "",
        f"Untagged speech, {same['turns']} held-out turns of dialogues without a tag so far: s1's "
        f"loss {base:.3f} -> {taught:.3f} nats per token (tolerance +{TOLERANCE['nats']}), s2's "
        f"mel distance to the recording {near:.3f} -> {far:.3f} (tolerance "
        f"+{100 * TOLERANCE['mel']:.0f} %); "
        f"base and adapted s2 lie {same['s2_mel_between_base_and_taught']:.3f} apart. "
        f"{'Within' if same['within_tolerance'] else 'OUTSIDE'} tolerance.",
        "",
        "| sentence | tag before | tag after | untagged | base |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in found["sounds"]:
        links = (f"[{name}]({one[name]})" for name in SPOKEN)
        lines.append(f"| {one['text']} | " + " | ".join(links) + " |")
    return "\n".join([*lines, ""])
