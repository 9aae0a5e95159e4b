"""Everything a server can be told: by `configs/serve.yaml`, GPT_SOVITS_* variables, flags."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from GPT_SoVITS.inference.bundled import bundled_model

COMPAT = {"openai": None, "api_v2": 9880, "character_list": 8000}
"""What `compat` may list -> the port that API was published on."""
DEFAULT_PORT = 9880


@dataclass(frozen=True)
class LimitsConfig:
    """How much one request, and all together, may take."""

    body_mb: float = 25.0
    """Largest request body, MB."""
    text_characters: int = 2000
    """Longest text of one request."""
    reference_seconds: float = 30.0
    """Longest reference recording."""
    turn_seconds: float = 60.0
    """Longest recording of a dialogue turn."""
    reply_seconds: float = 30.0
    """Longest sound of one spoken piece of a text."""
    running: int = 16
    """Replies worked on at a time; their stage 1 is decoded in one batch."""
    queue: int = 64
    """Replies that may wait; one more is refused with 429."""
    queue_seconds: float = 30.0
    """Longest wait for a place; beyond, and where it can be foreseen, the answer is 429."""
    request_seconds: float = 120.0
    """Longest time from a request to its last byte."""
    header_seconds: float = 10.0
    """Longest wait for a request's headers, and between two pieces of its body."""
    connections: int = 1024
    """Open connections; one more is closed at once."""
    drain_seconds: float = 30.0
    """After SIGTERM: how long running replies may take to end."""
    dialogues: int = 64
    """Open dialogues; with all in use the next one is refused with 429."""
    dialogue_turns: int = 200
    """Turns of one dialogue."""
    dialogue_mb: float = 512.0
    """What one dialogue may hold: keys and values, half of it; sound, the other half."""
    dialogue_minutes: float = 30.0
    """Idle time after which a dialogue is forgotten."""
    uploaded_voices: int = 64
    """Voices uploaded over HTTP."""
    uploaded_voice_minutes: float = 60.0
    """Idle time after which an uploaded voice is forgotten."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"limits.{name} is {value!r}; use a number above 0")


@dataclass(frozen=True)
class ServeConfig:
    """`python -m GPT_SoVITS serve`."""

    model: str = field(default_factory=lambda: str(bundled_model()))
    """Talker folder; the bundled model where none is named."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "fp32"
    """Stage 1's decoding: fp32, bf16, int8 or auto. At fp32 a reply is the one it is alone."""
    host: str = "127.0.0.1"
    """Address to listen on; others than loopback need a token."""
    port: int = 0
    """Port; 0 is the published one: 9880 with api_v2, 8000 with character_list."""
    compat: str = "openai,api_v2"
    """APIs to offer: openai with api_v2 or character_list (both own `/tts`)."""
    token: str = ""
    """Clients must send `Authorization: Bearer <token>`. Better set by GPT_SOVITS_TOKEN."""
    voices: str = ""
    """Folder of voice packs: `<name>/voice.yaml` (docs/server.md)."""
    voice_aliases: dict[str, str] = field(default_factory=dict)
    """Other names of voices, e.g. {alloy: anna}."""
    default_voice: str = ""
    """Voice of requests that name none; empty: the first one."""
    allow_ref_root: str = ""
    """api_v2 only: `ref_audio_path` may also name files inside this folder."""
    archive: str = ""
    """Folder that keeps every spoken file with its provenance; empty: none is kept."""
    threads: int = 0
    """CPU threads of one operation; 0: one where replies run side by side."""
    limits: LimitsConfig = field(default_factory=LimitsConfig)

    def __post_init__(self) -> None:
        unknown = [name for name in self.offered if name not in COMPAT]
        if unknown or not self.offered:
            raise ValueError(f"compat is {self.compat!r}; list some of {', '.join(COMPAT)}")
        if {"api_v2", "character_list"} <= set(self.offered):
            raise ValueError("compat: api_v2 and character_list both own /tts; choose one")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}; use 1 to 65535, or 0 for the published one")
        if not self.loopback and not self.token:
            raise ValueError(
                f"host {self.host} can be reached from other machines: set a token "
                "(GPT_SOVITS_TOKEN), or listen on 127.0.0.1"
            )
        if self.token and len(self.token) < 8:
            raise ValueError("token: use at least 8 characters")
        for name in ("voices", "allow_ref_root"):
            folder = getattr(self, name)
            if folder and not Path(folder).is_dir():
                raise ValueError(f"{name}: {folder} is no folder")

    @property
    def offered(self) -> tuple[str, ...]:
        """The APIs to offer."""
        return tuple(name.strip() for name in self.compat.split(",") if name.strip())

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def chosen_port(self) -> int:
        """The port to listen on."""
        published = [COMPAT[name] for name in self.offered if COMPAT[name]]
        return self.port or (published[0] if published else None) or DEFAULT_PORT
