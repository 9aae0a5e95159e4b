"""What the bundled model says: `python -m examples.gallery` writes docs/gallery.md anew.

One text per language, answered after the same words of the user, said in four styles, after a
gentle exchange that lets both voices be heard. The text does not change and the words before it do
not: what changes in the reply follows from how the user sounded. The turns before it are made by
the synthesiser of the demo corpus and kept in examples/dialogues/, with a dialogue.json per style.

    examples/dialogues/en_tired.json, .flac        the dialogues
    docs/figures/gallery/en_tired.ogg, en.png      replies, spectrograms and F0
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import soundfile
import torch

from examples.demo import ROOT
from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.audio.pitch import track_pitch
from GPT_SoVITS.audio.spectrogram import mel_spectrogram
from GPT_SoVITS.inference.bundled import bundled_model
from GPT_SoVITS.plots.sound import mel_spectrograms, pitch_tracks
from prepare_datasets.demo_corpus import RATE_FACTOR, STYLES, VOICES
from prepare_datasets.espeak import Prosody, synthesizer

log = logging.getLogger("gallery")
DIALOGUES, FIGURES = Path("examples/dialogues"), Path("docs/figures/gallery")
SCENES = {
    "en": (
        "en_m1",
        "I would like noodles for dinner.",
        "en_f2",
        "We have roast beef and lemonade.",
    ),
    "zh": ("zh_m1", "你点了什么？", "zh_f1", "我点了面条和饺子。"),
}
"""Language -> user's voice and words, agent's voice and words (which the corpus does not have)."""
BEFORE = {
    "en": ("I am going to the market on Sunday.", "Then take the umbrella with you."),
    "zh": ("我星期天要去市场。", "那你带上雨伞。"),
}
"""What both said before, gently."""
HEAD = """# Gallery

What [the bundled model](../pretrained_models/tiny-speech/README.md) says, made by
`python -m examples.gallery` with seed 0. The user's words and the reply's are the same in every
row; only how the user says them differs, and the reply follows.
"""


def write_dialogues(folder: Path) -> None:
    """The user's turns in every style, and the dialogues they begin."""
    engine = synthesizer()
    folder.mkdir(parents=True, exist_ok=True)

    def say(language: str, voice: str, words: str, style: str, name: str) -> dict[str, str]:
        p = STYLES[style]
        manner = Prosody(p.pitch, p.range, round(p.rate * RATE_FACTOR[language]), p.loudness)
        sound = engine.speak(words, VOICES[language][voice], manner)
        save_audio(folder / f"{name}.flac", sound, sample_rate=engine.sample_rate)
        turn = {"speaker": f"demo/{voice}", "text": words, "language": language}
        return turn | {"audio": f"{name}.flac"}

    for language, (user, words, agent, answer) in SCENES.items():
        first = [
            say(language, voice, said, "gentle", f"{language}_before_{who}")
            for voice, said, who in zip((user, agent), BEFORE[language], ("user", "agent"))
        ]
        for style in STYLES:
            name = f"{language}_{style}"
            content = {
                "schema_version": 1,
                "turns": [*first, say(language, user, words, style, name)],
                "response": {"speaker": f"demo/{agent}", "text": answer, "language": language},
            }
            text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
            (folder / f"{name}.json").write_text(text, encoding="utf-8")


def draw(sounds: dict[str, np.ndarray], path: Path) -> None:
    """Spectrograms above each other, and beside the file one with all F0 curves."""
    import matplotlib.pyplot as plt

    mels = {
        name: mel_spectrogram(torch.from_numpy(samples)[None])[0].numpy()
        for name, samples in sounds.items()
    }
    tracks = {}
    for name, samples in sounds.items():
        f0, _ = track_pitch(samples, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
        tracks[name] = np.where(f0 > 0, f0, np.nan)
    rate = SAMPLE_RATE / HOP_LENGTH
    for suffix, figure in (
        ("spectrograms", mel_spectrograms(mels, frame_rate=rate)),
        ("pitch", pitch_tracks(tracks, frame_rate=rate)),
    ):
        figure.savefig(path.with_name(f"{path.stem}_{suffix}.png"), dpi=70)
        plt.close(figure)


def numbers(samples: np.ndarray) -> tuple[float, float, float]:
    """Seconds, median F0 in Hz, level in dB of full scale."""
    f0, _ = track_pitch(samples, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    level = 20 * np.log10(np.sqrt(np.square(samples).mean()) + 1e-9)
    pitch = float(np.median(f0[f0 > 0])) if (f0 > 0).any() else float("nan")
    return len(samples) / SAMPLE_RATE, pitch, float(level)


def section(language: str, replies: dict[str, np.ndarray]) -> str:
    """The part of the page about one language."""
    _, words, agent, answer = SCENES[language]
    lines = [f"## {'English' if language == 'en' else '中文'}\n"]
    lines += [f"User: “{words}” · agent, in the voice `demo/{agent}`: “{answer}”\n"]
    lines += ["| user sounds | user | reply | seconds | median F0 | level |"]
    lines += ["| --- | --- | --- | ---: | ---: | ---: |"]
    for style, samples in replies.items():
        seconds, pitch, level = numbers(samples)
        name = f"{language}_{style}"
        lines += [
            f"| {style} | [hear](../{DIALOGUES}/{name}.flac) | [hear](figures/gallery/{name}.ogg) "
            f"| {seconds:.2f} | {pitch:.0f} Hz | {level:.1f} dB |"
        ]
    lines += [f"\n![spectrograms of the replies](figures/gallery/{language}_spectrograms.png)\n"]
    lines += [f"![F0 of the replies](figures/gallery/{language}_pitch.png)\n"]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> Path:
    """Speak, draw, write the page -> it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=bundled_model(), help="talker folder")
    parser.add_argument("--output", type=Path, default=ROOT, help="repository to write into")
    parser.add_argument("--dialogues", action="store_true", help="make the user's turns anew too")
    args = parser.parse_args(arguments)
    places = {name: args.output / name for name in (DIALOGUES, FIGURES)}
    if args.dialogues or not places[DIALOGUES].is_dir():
        write_dialogues(places[DIALOGUES])
    places[FIGURES].mkdir(parents=True, exist_ok=True)
    talker = Talker.load(args.model, device="cpu")
    page = [HEAD]
    for language in SCENES:
        replies = {}
        for style in STYLES:
            name = f"{language}_{style}"
            speech = talker.speak(Dialogue.load(places[DIALOGUES] / f"{name}.json"), seed=0)
            replies[style] = speech.samples
            sound = places[FIGURES] / f"{name}.ogg"
            soundfile.write(sound, speech.samples, SAMPLE_RATE, format="OGG", subtype="VORBIS")
            log.info("%s: %.2f s", sound, speech.seconds)
        draw(replies, places[FIGURES] / f"{language}.png")
        page.append(section(language, replies))
    target = args.output / "docs" / "gallery.md"
    target.write_text("\n".join(page), encoding="utf-8")
    return target


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
