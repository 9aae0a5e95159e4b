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
from typing import TYPE_CHECKING

from GPT_SoVITS.dialogue import LANGUAGES
from GPT_SoVITS.inference.bundled import bundled_model
from GPT_SoVITS.inference.options import GenerationOptions

if TYPE_CHECKING:
    from GPT_SoVITS.dialogue import Dialogue
    from GPT_SoVITS.inference.speech import Speech
    from GPT_SoVITS.inference.talker import Talker

log = logging.getLogger(__name__)

OUTPUT_SUFFIXES = (".wav", ".flac")
WRONG_INPUT = 2
PROMPT_SECONDS = (3.0, 10.0)
"""How long a prompt with its text may be; the published weights go astray outside."""


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
    parser.add_argument("--language", default="auto", choices=LANGUAGES)
    parser.add_argument("--speaker", default="agent", help="a speaker of the model, by name")
    parser.add_argument(
        "--reference-audio", type=Path, nargs="+", help="a few seconds of the voice; several: mean"
    )
    parser.add_argument(
        "--reference-text",
        help="what the reference says (3 to 10 s): stage 1 goes on from it, as GPT-SoVITS does",
    )
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
    add_talker(parser)
    parser.add_argument(
        "--output", type=Path, required=output_required, help="the reply, .wav or .flac, 32 kHz"
    )
    parser.add_argument("--srt", type=Path, help="subtitles of the reply, word by word timed")
    parser.add_argument("--json", type=Path, help="words with their times, tokens, phonemes")
    add_generation(parser)


def add_talker(parser: argparse.ArgumentParser) -> None:
    """What :func:`load_talker` reads."""
    parser.add_argument(
        "--model", type=Path, default=bundled_model(), help="talker folder (%(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--adapter", type=Path, help="a LoRA adapter: its name or its folder")


def add_generation(parser: argparse.ArgumentParser) -> None:
    """A flag for every generation option; :func:`options_of` reads them."""
    title = "generation (defaults: the options in the model's talker.json, else those named here)"
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(GenerationOptions):
        kind = type(field.default)
        flag = "--" + field.name.replace("_", "-")
        told = f"default {field.default}"
        group.add_argument(flag, type=kind, default=argparse.SUPPRESS, help=told)


def options_of(
    args: argparse.Namespace, base: GenerationOptions | None = None
) -> GenerationOptions:
    """The generation options given; what was not given is that of ``base``, the talker's."""
    names = {field.name for field in dataclasses.fields(GenerationOptions)}
    given = {name: value for name, value in vars(args).items() if name in names}
    return dataclasses.replace(base or GenerationOptions(), **given)


def _check_output(path: Path) -> Path:
    if path.suffix.lower() not in OUTPUT_SUFFIXES:
        raise ValueError(f"--output {path}: the name must end in .wav or .flac")
    if path.is_dir():
        raise ValueError(f"--output {path}: is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _speak_dialogue(args: argparse.Namespace) -> int:
    from GPT_SoVITS.dialogue import Dialogue

    options_of(args)  # a wrong one is said before the model is read
    output, dialogue = _check_output(args.output), Dialogue.load(args.dialogue)
    talker = load_talker(args)
    started = time.perf_counter()
    speech = talker.speak(dialogue, options=options_of(args, talker.options))
    _save(args, speech, talker)
    _report(output, speech.seconds, time.perf_counter() - started)
    return 0


def _speak_text(args: argparse.Namespace) -> int:
    from GPT_SoVITS.inference.talker import Talker
    from GPT_SoVITS.inference.talker_parts import build_frontend

    options_of(args)  # a wrong one is said before the model is read
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
    output, prompt = _check_output(args.output), _prompt(args)
    talker = load_talker(args, lexicon=args.lexicon)
    started = time.perf_counter()
    speech = talker.speak(
        prompt,
        args.text,
        speaker=args.speaker,
        language=args.language,
        reference_audio=args.reference_audio,
        options=options_of(args, talker.options),
    )
    _save(args, speech, talker)
    _report(output, speech.seconds, time.perf_counter() - started)
    return 0


def _prompt(args: argparse.Namespace) -> Dialogue:
    """With ``--reference-text`` the reference is a turn before the one to be spoken.

    Imported base weights have the ``grouped`` layout, so this is their voice-cloning prompt.
    """
    from GPT_SoVITS.audio.constants import SAMPLE_RATE
    from GPT_SoVITS.audio.io import load_audio
    from GPT_SoVITS.dialogue import Dialogue, Turn

    if args.reference_text is None:
        return Dialogue()
    if args.reference_audio is None or len(args.reference_audio) != 1:
        raise ValueError("--reference-text: needs one --reference-audio that says it")
    (path,) = args.reference_audio
    seconds = len(load_audio(path, max_seconds=PROMPT_SECONDS[1] + 1)) / SAMPLE_RATE
    low, high = PROMPT_SECONDS
    if not low <= seconds <= high:
        raise ValueError(
            f"{path}: a prompt with --reference-text must be {low:g} to {high:g} s long, this one "
            f"has {seconds:.1f} s; without --reference-text it serves as the voice alone"
        )
    return Dialogue((Turn(args.speaker, args.reference_text, args.language, audio=str(path)),))


def load_talker(args: argparse.Namespace, *, lexicon: Path | None = None) -> Talker:
    """The talker of ``--model``, on ``--device``, with ``--adapter``."""
    from GPT_SoVITS.inference.talker import Talker

    talker = Talker.load(args.model, device=args.device, lexicon=lexicon)
    return talker if args.adapter is None else talker.with_adapter(args.adapter)


def _save(args: argparse.Namespace, speech: Speech, talker: Talker) -> None:
    """The sound, and what else was asked for."""
    from GPT_SoVITS.audio.io import save_audio
    from GPT_SoVITS.inference.subtitles import to_json, to_srt
    from GPT_SoVITS.inference.timing import words_of

    save_audio(args.output, speech.samples, sample_rate=speech.sample_rate)
    if args.srt is None and args.json is None:
        return
    words = words_of(speech, talker.frontend.config)
    for path, text in ((args.srt, to_srt(words)), (args.json, to_json(speech, words))):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _report(output: Path, seconds: float, took: float) -> None:
    log.info("%s: %.2f s of speech in %.2f s (RTF %.2f)", output, seconds, took, took / seconds)
