"""The commands that speak: ``inference.py`` (a dialogue) and ``python -m GPT_SoVITS speak`` (a
text).

Exit codes: 0 spoken, 2 wrong input (the message says what and where), 130 interrupted. Every
option of
:class:`GenerationOptions` is a flag with the same default and the same check.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from GPT_SoVITS.inference.options import GenerationOptions

log = logging.getLogger(__name__)

DEFAULT_MODEL = Path("pretrained_models") / "talker"
OUTPUT_SUFFIXES = (".wav", ".flac")
WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """``inference.py``: dialogue.json in, the reply as audio out."""
    parser = argparse.ArgumentParser(
        prog="inference.py", description="Speak the agent's next turn of a dialogue."
    )
    _common(parser)
    parser.add_argument("--dialogue", type=Path, required=True, help="dialogue.json")
    return guarded(lambda: _speak_dialogue(parser.parse_args(arguments)))


def speak(arguments: Sequence[str] | None = None) -> int:
    """``python -m GPT_SoVITS speak``: one text, in the voice of a reference or a known speaker."""
    parser = argparse.ArgumentParser(prog="python -m GPT_SoVITS speak", description="Speak a text.")
    _common(parser, output_required=False)
    parser.add_argument("--text", required=True, help="what to say")
    parser.add_argument("--language", default="auto", choices=("auto", "en", "zh"))
    parser.add_argument("--speaker", default="agent", help="a speaker of the model, by name")
    parser.add_argument("--reference-audio", type=Path, help="a few seconds of the voice")
    parser.add_argument("--lexicon", type=Path, help="own pronunciations (see docs)")
    parser.add_argument(
        "--show-phonemes", action="store_true", help="print the phonemes; needs no model"
    )
    return guarded(lambda: _speak_text(parser.parse_args(arguments)))


def guarded(command: Callable[[], int]) -> int:
    """Run a command; a wrong input becomes one line on stderr and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return command()
    except KeyboardInterrupt:
        return 130
    except (ValueError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        log.error("error: %s", error)
        return WRONG_INPUT


def _common(parser: argparse.ArgumentParser, *, output_required: bool = True) -> None:
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="talker folder")
    parser.add_argument(
        "--output", type=Path, required=output_required, help="the reply, .wav or .flac, 32 kHz"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    group = parser.add_argument_group("generation")
    for field in dataclasses.fields(GenerationOptions):
        kind = type(field.default)
        flag = "--" + field.name.replace("_", "-")
        group.add_argument(flag, type=kind, default=field.default, help=f"default {field.default}")


def _options(args: argparse.Namespace) -> GenerationOptions:
    names = [field.name for field in dataclasses.fields(GenerationOptions)]
    return GenerationOptions(**{name: getattr(args, name) for name in names})


def _check_output(path: Path) -> Path:
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise ValueError(f"--output {path}: the name must end in .wav or .flac")
    if path.is_dir():
        raise ValueError(f"--output {path}: is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _speak_dialogue(args: argparse.Namespace) -> int:
    from GPT_SoVITS.audio.io import save_audio
    from GPT_SoVITS.dialogue import Dialogue
    from GPT_SoVITS.inference.talker import Talker

    options, output = _options(args), _check_output(args.output)
    dialogue = Dialogue.load(args.dialogue)
    talker = Talker.load(args.model, device=args.device)
    started = time.perf_counter()
    speech = talker.speak(dialogue, options=options)
    save_audio(output, speech.samples, sample_rate=speech.sample_rate)
    _report(output, speech.seconds, time.perf_counter() - started)
    return 0


def _speak_text(args: argparse.Namespace) -> int:
    from GPT_SoVITS.audio.io import save_audio
    from GPT_SoVITS.dialogue import Dialogue
    from GPT_SoVITS.inference.talker import Talker, build_frontend

    options = _options(args)
    if args.show_phonemes:
        settings = Talker.settings(args.model) if args.model.is_dir() else {}
        spoken = build_frontend(settings, lexicon=args.lexicon)(args.text, args.language)
        shown = {
            "normalized": spoken.normalized,
            "language": spoken.language,
            "phonemes": list(spoken.phonemes),
            "word2ph": None if spoken.word2ph is None else list(spoken.word2ph),
        }
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
    if args.output is None:
        if args.show_phonemes:
            return 0
        raise ValueError("--output is missing: where the audio goes, .wav or .flac")
    output = _check_output(args.output)
    talker = Talker.load(args.model, device=args.device, lexicon=args.lexicon)
    reference = None if args.reference_audio is None else str(args.reference_audio)
    started = time.perf_counter()
    speech = talker.speak(
        Dialogue(reference_audio=reference),
        args.text,
        speaker=args.speaker,
        language=args.language,
        options=options,
    )
    save_audio(output, speech.samples, sample_rate=speech.sample_rate)
    _report(output, speech.seconds, time.perf_counter() - started)
    return 0


def _report(output: Path, seconds: float, took: float) -> None:
    log.info("%s: %.2f s of speech in %.2f s (RTF %.2f)", output, seconds, took, took / seconds)
