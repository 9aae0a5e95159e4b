"""``Talker``: a model folder that speaks. Loaded once, used by many threads.

    talker = Talker.load("runs/demo/talker")
    speech = talker.speak(dialogue, "Sure, let me check.", speaker="agent", seed=0)

Nothing of a request is stored on the talker or its networks: caches, random generators and speaker
statistics belong to the session of the request.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.adapters.file import adapter_folder, load_adapters
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.audio.constants import N_FFT, SAMPLE_RATE
from GPT_SoVITS.checkpoints import load_s1, load_s2
from GPT_SoVITS.checkpoints.talker_folder import (
    SETTINGS_FILE,
    SpeakerEntry,
    read_json,
    read_talker,
)
from GPT_SoVITS.dialogue import Dialogue, DialogueError
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.cancel import Cancel
from GPT_SoVITS.inference.decoders import Decoders
from GPT_SoVITS.inference.hearing import Recogniser
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.prefix_cache import PrefixCache
from GPT_SoVITS.inference.rendering import Voice, voice_of
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.talker_parts import (
    BertEncoder,
    TalkerError,
    bert_of,
    build_frontend,
    check_rows,
    choose_device,
    layout_of,
    options_of,
    speaker_features_of,
    turn_encoder_of,
)
from GPT_SoVITS.inference.turns import MAX_BYTES
from GPT_SoVITS.inference.vocoders import Vocoders
from GPT_SoVITS.inference.voice import References, VoiceCache
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.streaming import Vocoder
from GPT_SoVITS.text import Frontend, PhonemeSequence


class Talker:
    """Both networks, the text frontend and the tokenizer of one model folder."""

    def __init__(
        self,
        *,
        s1: SemanticGPT,
        s2: ConversationalVITS,
        frontend: Frontend,
        turn_encoder: Any | None = None,
        speakers: Mapping[str, SpeakerEntry] | None = None,
        layout: LayoutConfig | None = None,
        options: GenerationOptions | None = None,
        bert: BertEncoder | None = None,
        speaker_features: SpeakerFeatures | None = None,
        device: torch.device | str = "cpu",
        folder: Path | None = None,
    ) -> None:
        self.folder = folder
        self.device = torch.device(device)
        self.s1, self.s2 = s1.to(self.device).eval(), s2.to(self.device).eval()
        self._decoders, self._vocoders = Decoders(self.s1), Vocoders(self.s2)
        self.frontend, self._turn_encoder = frontend, turn_encoder
        self.speakers = dict(speakers or {})
        self.layout, self.options = layout or LayoutConfig(), options or GenerationOptions()
        self._bert, self._speaker_features = bert, speaker_features
        self._voices = VoiceCache()
        self._silence = functools.cache(self._find_silence)
        if s2.config.is_pro and speaker_features is None:
            raise TalkerError(
                f"{s2.config.version} needs the speaker network: import the published "
                "pretrained_eres2netv2w24s4ep4.ckpt into the same folder"
            )
        check_rows(frontend, s1, s2)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str = "auto",
        *,
        lexicon: str | Path | None = None,
        precision: str | None = None,
    ) -> Talker:
        """Read a talker folder; ``device`` is auto (CUDA where there is one), cpu or cuda.

        ``precision`` replaces the default of the folder's options.
        """
        chosen = choose_device(device)
        found = read_talker(folder)
        s1, _ = load_s1(found.s1_path)
        s2, _ = load_s2(found.s2_path)
        settings = {"symbols": found.s1.symbols, "tags": list(found.s1.tags)} | dict(found.settings)
        return cls(
            s1=s1,
            s2=s2,
            frontend=build_frontend(settings, lexicon=lexicon, folder=found.folder),
            turn_encoder=turn_encoder_of(found),
            speakers=found.speakers,
            layout=layout_of(found),
            options=options_of(found, precision),
            bert=bert_of(found, chosen),
            speaker_features=speaker_features_of(found, chosen) if s2.config.is_pro else None,
            device=chosen,
            folder=found.folder,
        )

    def with_adapter(self, adapter: str | Path) -> Talker:
        """A talker with a LoRA adapter, by its name in `<talker>/adapters` or by its folder.

        It shares with this one all but the weights the adapter changes; this one stays as it is.
        """
        place = Path(adapter) if self.folder is None else adapter_folder(self.folder, adapter)
        parts = load_adapters(place)
        twin = self.with_networks(
            s1=adapted(self.s1, parts["s1"]) if "s1" in parts else None,
            s2=adapted(self.s2, parts["s2"]) if "s2" in parts else None,
        )
        for tags in {part.header.tags for part in parts.values()} - {self.frontend.config.tags}:
            twin.frontend = Frontend(dataclasses.replace(self.frontend.config, tags=tags))
        check_rows(twin.frontend, twin.s1, twin.s2)
        return twin

    def with_networks(
        self, *, s1: SemanticGPT | None = None, s2: ConversationalVITS | None = None
    ) -> Talker:
        """A talker beside this one with another stage 1 or 2; all else is shared."""
        twin = copy.copy(self)
        if s1 is not None:
            twin.s1 = s1.to(self.device).eval()
            twin._decoders = Decoders(twin.s1)
        if s2 is not None:
            twin.s2 = s2.to(self.device).eval()
            twin._vocoders = Vocoders(twin.s2)
        return twin

    @property
    def has_own_voice(self) -> bool:
        """An adapter brought its voice as a learned condition: no reference is needed or heard."""
        return getattr(self.s2, "learned_condition", None) is not None

    def decoder(self, precision: str = "auto") -> Decoder:
        """Stage 1 prepared for decoding; made when first asked for, then shared by all threads."""
        return self._decoders.get(precision)

    def vocoder(self, precision: str = "auto") -> Vocoder:
        """Stage 2's generator prepared for speaking; made when first asked for, then shared."""
        return self._vocoders.get(precision)

    def decoding(self, precision: str, mask: str) -> SharedDecoding | None:
        """The batch sessions decode in by default: none on a CPU, one per precision on CUDA."""
        return self._decoders.shared(precision, mask)

    def prefixes(self, precision: str, mask: str) -> PrefixCache:
        """Encoded histories, shared by all sessions of this precision and mask rule."""
        return self._decoders.prefixes(precision, mask)

    @staticmethod
    def settings(folder: str | Path) -> dict[str, Any]:
        """``talker.json`` of a folder; empty where there is none."""
        path = Path(folder) / SETTINGS_FILE
        return read_json(path) if path.is_file() else {}

    def session(
        self,
        *,
        agent: str = "agent",
        layout: LayoutConfig | None = None,
        options: GenerationOptions | None = None,
        max_bytes: int = MAX_BYTES,
        decoding: SharedDecoding | None = None,
    ) -> DialogueSession:
        """A new dialogue, answered by ``agent``; layout and options default to the model's.

        ``max_bytes`` bounds what it remembers of keys, values and sound; with ``decoding`` its
        replies are decoded together with those of other sessions.
        """
        return DialogueSession(
            self,
            agent=agent,
            layout=layout,
            options=options,
            max_bytes=max_bytes,
            decoding=decoding,
        )

    def speak(
        self,
        dialogue: Dialogue | None = None,
        text: str | None = None,
        *,
        speaker: str | None = None,
        language: str | None = None,
        reference_audio: References | None = None,
        options: GenerationOptions | None = None,
        seed: int | None = None,
        cancel: Cancel | None = None,
        recogniser: Recogniser | None = None,
    ) -> Speech:
        """Speak the next turn of ``dialogue``: ``text``, or the dialogue's own response.

        ``reference_audio``: one file or samples (T,) at 32 kHz, or several, averaged. Setting
        ``cancel`` (a ``threading.Event``) raises :class:`ReplyCancelled` before the next token.
        A ``recogniser`` hears every line; what it does not understand is said again.
        """
        session, said = self._prepared(
            dialogue, text, speaker, language, reference_audio, options, seed
        )
        return session.respond(**said, cancel=cancel, recogniser=recogniser)

    def stream(
        self,
        dialogue: Dialogue | None = None,
        text: str | None = None,
        *,
        speaker: str | None = None,
        language: str | None = None,
        reference_audio: References | None = None,
        options: GenerationOptions | None = None,
        seed: int | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Speech]:
        """As ``speak``, in chunks; the first comes before the whole is generated.

        Wrong input is an error of this call; closing the iterator ends the reply.
        """
        session, said = self._prepared(
            dialogue, text, speaker, language, reference_audio, options, seed
        )
        return session.stream(**said, cancel=cancel)

    def encode_text(self, text: str, language: str) -> tuple[PhonemeSequence, np.ndarray | None]:
        """Phonemes of a text, and its BERT features (X, 1024) where the model has them."""
        phonemes = self.frontend(text, language)
        return phonemes, None if self._bert is None else self._bert(phonemes)

    def voice(self, references: Sequence[np.ndarray]) -> Voice:
        """[(T,) 32 kHz samples] -> what stage 2 conditions on, averaged over the references

        A talker with a voice of its own takes none: an empty list will do.
        """
        if self.has_own_voice:
            return Voice([torch.zeros(1, N_FFT // 2 + 1, 1, device=self.device)])
        return self._voices.get(
            references, lambda given: voice_of(given, self.device, self._speaker_features)
        )

    def start_features(self) -> Any:
        """Speaker statistics of a dialogue in which nothing was heard yet."""
        return None if self._turn_encoder is None else self._turn_encoder.start()

    def encode_speech(
        self, samples: np.ndarray, speaker: str, state: Any
    ) -> tuple[np.ndarray, Any]:
        """(T,) 32 kHz samples -> (N,) tokens and the statistics after this turn.

        Raises `TalkerError`.
        """
        if self._turn_encoder is None:
            raise TalkerError("this model has no speech tokenizer; history audio cannot be heard")
        codes, _, state = self._turn_encoder.encode(samples, speaker, state)
        return np.asarray(codes, dtype=np.int64).reshape(-1), state

    @property
    def silent_codes(self) -> frozenset[int]:
        """Tokens the tokenizer gives to silence; none without a tokenizer."""
        return self._silence()

    def _find_silence(self) -> frozenset[int]:
        if self._turn_encoder is None:
            return frozenset()
        hush = np.random.default_rng(0).standard_normal(SAMPLE_RATE) * 1e-4
        codes, _ = self.encode_speech(hush.astype(np.float32), "silence", self.start_features())
        return frozenset(codes.tolist())

    def generator(self, seed: int) -> torch.Generator:
        """Randomness of one request."""
        return torch.Generator(device=self.device).manual_seed(seed)

    def _prepared(
        self,
        dialogue: Dialogue | None,
        text: str | None,
        speaker: str | None,
        language: str | None,
        reference: References | None,
        options: GenerationOptions | None,
        seed: int | None,
    ) -> tuple[DialogueSession, dict[str, Any]]:
        dialogue = dialogue or Dialogue(turns=())
        response = dialogue.response
        if text is None and response is None:
            raise DialogueError("nothing to say: give a text or a dialogue with a response")
        own = response if text is None else None
        who = speaker or (response.speaker if response is not None else "agent")
        said = text if own is None else own.text
        spoken_in = language or ("auto" if own is None else own.language)
        chosen = options or self.options
        if seed is not None:
            chosen = dataclasses.replace(chosen, seed=seed)
        session = self.session(agent=who, options=chosen)
        for turn in dialogue.turns:
            session.add(turn)
        if reference is None:
            reference = dialogue.reference_audio
        return session, {"text": said, "language": spoken_in, "reference_audio": reference}
