"""The character-list API, voice packs with emotions, aliases of parameters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from GPT_SoVITS.server.character_list import ALIASES, named, speed_of
from tests.server.conftest import Live, Start
from tests.tiny_talker import voice

TOKEN = "a-token-of-some-length"
TEXT = "Good morning, my friend."


def write_pack(root: Path, name: str, **changes: Any) -> Path:
    """voices/<name>/ with two emotions."""
    folder = root / name
    folder.mkdir(parents=True)
    for emotion, pitch in (("neutral", 150.0), ("happy", 260.0)):
        soundfile.write(folder / f"{emotion}.wav", voice(pitch, 1.5), 32000)
    values = {
        "consent": True,
        "language": "en",
        "default_emotion": "neutral",
        "emotions": {
            "neutral": {"audio": "neutral.wav", "text": "Good evening.", "language": "en"},
            "happy": {"audio": "happy.wav"},
        },
    }
    (folder / "voice.yaml").write_text(
        yaml.safe_dump(values | changes, sort_keys=False), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("voices")
    write_pack(root, "bella")
    return root


@pytest.fixture(scope="module")
def live(start: Start, voices: Path) -> Iterator[Live]:
    given: dict[str, Any] = {"voice_aliases": {"narrator": "bella"}, "token": TOKEN}
    with start(compat="openai,character_list", voices=str(voices), **given) as running:
        yield running


def spoken(live: Live, **given: Any) -> bytes:
    asked = {"text": TEXT, "character": "bella", "seed": 1, "format": "wav", **given}
    asked = {name: value for name, value in asked.items() if value is not None}
    answer = live.http.post("/tts", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_characters_are_listed_with_their_emotions(live: Live):
    listed = live.http.get("/character_list").json()
    assert listed == {"anna": ["default"], "bella": ["neutral", "happy"]}


def test_emotions_sound_different_and_an_unknown_one_is_the_default(live: Live):
    neutral = spoken(live)
    assert spoken(live, emotion="happy") != neutral
    assert spoken(live, emotion="furious") == neutral
    assert spoken(live, character="bella:happy", emotion=None) == spoken(live, emotion="happy")
    assert spoken(live, character="narrator") == neutral
    assert spoken(live, character=None) == neutral, "the first pack is the default voice"


# The published page of parameters; a name missing here breaks clients.
PUBLISHED = """
text txt tex t ssml task_type text_language lang language lan text_lang xml:lang character cha_name
model_name cha spk speaker name role emotion character_emotion style ref_audio_path ref_audio
ref_path prompt_text ref_text prompt_language ref_lang batch_size speed speed_factor spd rate top_k
top_p temperature seed stream streaming save_temp save cut_method cut max_cut_length
repetition_penalty format
""".split()


def test_every_published_name_is_known():
    assert set(PUBLISHED) <= {alias for aliases in ALIASES.values() for alias in aliases}


@pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name, all_ in ALIASES.items() for alias in all_]
)
def test_every_alias_means_its_parameter(name: str, alias: str):
    assert named({alias: "x"}) == {name: "x"}


def test_aliases_are_heard(live: Live):
    expected = spoken(live, emotion="happy", speed=1.5, text_language="en")
    other = {"text": None, "txt": TEXT, "character": None, "spk": "bella", "style": "happy"}
    assert spoken(live, **other, rate="+50%", lang="en") == expected
    query = {"t": TEXT, "role": "bella", "style": "happy", "speed_factor": "150%", "seed": 1}
    assert live.http.get("/tts", params=query).content == expected


def test_a_document_may_come_as_ssml(live: Live):
    document = "<speak>Hello there.</speak>"
    assert spoken(live, text=None, ssml=document) == spoken(live, text="Hello there.")


def test_pieces_are_as_short_as_asked_for(live: Live):
    text = "Good morning, my friend, how are you, and how is the weather over there?"
    short = spoken(live, text=text, max_cut_length=5)
    whole = spoken(live, text=text)
    assert (
        len(short) > len(whole) + 2 * 6400 and spoken(live, text=text, max_cut_length=80) == whole
    )


@pytest.mark.parametrize(
    ("given", "factor"),
    [("1.25", 1.25), ("+20%", 1.2), ("-20%", 0.8), ("150%", 1.5), ("slow", 0.8), ("fast", 1.25)],
)
def test_speed_as_factor_percentage_and_word(given: str, factor: float):
    assert speed_of(given) == pytest.approx(factor)


@pytest.mark.parametrize(("form", "head"), [("wav", b"RIFF"), ("ogg", b"OggS"), ("flac", b"fLaC")])
def test_formats(live: Live, form: str, head: bytes):
    assert spoken(live, format=form).startswith(head)
    assert spoken(live, format=form, stream=True).startswith(head)


def test_ssml_speaks_with_registered_voices_and_exact_breaks(live: Live):
    plain = spoken(live, text="Hello there.")
    marked = spoken(live, text='<speak>Hello there.<break time="250ms"/></speak>')
    assert len(marked) - len(plain) == 2 * 8000
    bella = spoken(live, text="Hello there.", character="bella", emotion="happy")
    said = '<speak><voice name="bella:happy">Hello there.</voice></speak>'
    assert spoken(live, text=said, character="bella") == bella


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><speak>&c;</speak>',
        '<speak><audio src="http://127.0.0.1:1/x.wav"/></speak>',
        "<speak><p>unclosed</speak>",
        '<speak><voice name="nobody">Hello.</voice></speak>',
        "<speak></speak>",
        '<speak><break time="9999999s"/>Hello.</speak>',
    ],
)
def test_hostile_ssml_is_refused(live: Live, document: str):
    asked = {"text": document, "character": "bella", "task_type": "ssml"}
    answer = live.http.post("/tts", json=asked)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("given", "status"),
    [({}, 400), ({"text": "…"}, 400), ({"text": "Hi.", "character": "nobody"}, 404),
     ({"text": "Hi.", "speed": "quick"}, 400), ({"text": "Hi.", "format": "midi"}, 400),
     ({"text": "Hi.", "cut_method": "cut7"}, 400), ({"text": ["Hi."]}, 400),
     ({"text": "Hi.", "ref_audio_path": "/etc/passwd"}, 400),
     ({"text": "Hi.", "max_cut_length": 4}, 400), ({"text": "Hi.", "repetition_penalty": "x"}, 400),
     ({"text": "Hi.", "ref_path": "/etc/passwd"}, 400)],
)  # fmt: skip
def test_errors_have_a_status_of_their_own(live: Live, given: dict[str, Any], status: int):
    answer = live.http.post("/tts", json=given)
    assert answer.status_code == status
    assert answer.json()["error"]["request_id"]


def test_packs_are_read_again_while_speaking(live: Live, voices: Path):
    before = spoken(live)
    write_pack(voices, "carl")
    write_pack(voices, "broken", colour="red")
    try:
        answer = live.http.post("/admin/voices/reload").json()
        assert answer == {"voices": ["bella", "carl"], "refused": ["broken"]}
        assert spoken(live, character="carl") and spoken(live) == before
    finally:
        shutil.rmtree(voices / "carl")
        shutil.rmtree(voices / "broken")
        live.http.post("/admin/voices/reload")
    answer = live.http.post("/tts", json={"text": TEXT, "character": "carl"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"consent": False},
        {"default_emotion": "angry"},
        {"emotions": {}},
        {"emotions": {"a": {"audio": "../../secret.wav"}}},
        {"emotions": {"a": {"audio": "gone.wav"}}},
        {"emotions": {"a": {"audio": "neutral.wav", "txt": "x"}}},
        {"language": "xx"},
        {"model": "../other"},
        {"model": "no_such_adapter"},
    ],
)
def test_a_wrong_pack_is_refused_by_name(live: Live, voices: Path, changes: dict[str, Any]):
    folder = write_pack(voices, "wrong", **changes)
    try:
        assert live.http.post("/admin/voices/reload").json()["refused"] == ["wrong"]
    finally:
        shutil.rmtree(folder)


def test_a_pack_cannot_build_objects(live: Live, voices: Path, tmp_path: Path):
    folder = write_pack(voices, "objects")
    marker = tmp_path / "marker"
    text = f"consent: !!python/object/apply:os.system ['touch {marker}']\n"
    (folder / "voice.yaml").write_text(text, encoding="utf-8")
    try:
        assert live.http.post("/admin/voices/reload").json()["refused"] == ["objects"]
    finally:
        shutil.rmtree(folder)
    assert not marker.exists()
