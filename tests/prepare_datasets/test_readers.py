"""Every form of corpus becomes the same turns."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import soundfile

from prepare_datasets.errors import PrepareError
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.named import read_named
from prepare_datasets.readers.published import read_published
from prepare_datasets.readers.rows import find_audio, turns_of
from prepare_datasets.readers.scripts import (
    export_scripts,
    import_scripts,
    parse_script,
    script_rows,
    write_script,
)
from prepare_datasets.readers.tables import find_manifest, folder_rows, list_rows, table_rows
from prepare_datasets.readers.transcript import TranscriptError, decode_transcript
from prepare_datasets.readers.turn import RawTurn
from prepare_datasets.source import SourceConfig
from tests.prepare_datasets.runs import prepare, report
from tests.prepare_datasets.sounds import RATE, TEXTS, voice, write_corpus, write_turn


def turns(pieces) -> list[RawTurn]:
    """The turns; nothing may be wrong."""
    found = list(pieces)
    assert not [one for one in found if isinstance(one, Entry)]
    return found


def codes(pieces) -> list[str]:
    """Ledger codes."""
    return [one.code for one in pieces if isinstance(one, Entry)]


def recording(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(0, 0.3), RATE)
    return path


def put(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def ncssd_turn(root: Path, subset: str, dialogue: str, turn: int, speaker: int, text: bytes):
    stem = root / subset / dialogue / f"{turn}_{speaker}_d{dialogue}"
    recording(stem.with_suffix(".wav"))
    put(stem.with_suffix(".lab"), text)


def test_ncssd_subsets_say_language_and_whose_voice_a_number_is(tmp_path: Path):
    ncssd_turn(tmp_path, "0-CL-ZH", "4958", 0, 0, "你好。".encode("gbk"))
    ncssd_turn(tmp_path, "C-ZH", "7", 0, 1, "你好。".encode())
    ncssd_turn(tmp_path, "R-EN", "170", 0, 0, b"Hello.")
    ncssd_turn(tmp_path, "R-EN", "170", 1, 10, b"Hi.")
    ncssd_turn(tmp_path, "R-ZH", "400", 3, 12, "好的。".encode())
    source = SourceConfig(corpus="ncssd", reader="ncssd", encoding="auto")
    found = [one for one in read_named(tmp_path, source) if isinstance(one, RawTurn)]
    assert {(t.id, t.language, t.speaker) for t in found} == {
        ("ncssd/0-CL-ZH/4958/0", "zh", "ncssd/0-CL-ZH/4958/0"),
        ("ncssd/C-ZH/7/0", "zh", "ncssd/C-ZH/7/1"),
        ("ncssd/R-EN/170/0", "en", "ncssd/R-EN/170/0"),
        ("ncssd/R-EN/170/1", "en", "ncssd/R-EN/10"),
        ("ncssd/R-ZH/400/3", "zh", "ncssd/R-ZH/12"),
    }
    assert found[0].text == "你好。"


def test_ncssd_metadata_says_utterents(tmp_path: Path):
    recording(tmp_path / "C-EN" / "1" / "0_0_d1.wav")
    said = {"dialog": 1, "utterents": {"0": {"index": 0, "speaker": 0, "text": "Hello there."}}}
    put(tmp_path / "C-EN" / "1" / "metadata.json", json.dumps(said))
    (turn,) = turns(read_named(tmp_path, SourceConfig(reader="ncssd")))
    assert turn.text == "Hello there." and turn.speaker == "demo/C-EN/1/0"


@pytest.mark.parametrize("inside", ["data", ""])
def test_dailytalk_release_and_flat_layout_with_emotions(tmp_path: Path, inside: str):
    write_corpus(tmp_path / inside, dialogues=2, turns=2)
    labels = {"0": {"0": {"emotion": "happiness"}, "1": {"emotion": "no emotion"}}}
    put(tmp_path / "metadata.json", json.dumps(labels))
    found = turns(read_named(tmp_path, SourceConfig(corpus="dt", language="en")))
    prefix = "dt/data" if inside else "dt"
    assert [t.id for t in found] == [f"{prefix}/{d}/{t}" for d in "01" for t in "01"]
    assert [t.style for t in found] == [{"name": "happiness"}, {"name": "none"}, None, None]
    assert {t.speaker for t in found} == {"dt/0", "dt/1"}


def test_all_files_in_one_folder(tmp_path: Path):
    write_corpus(tmp_path / "apart", dialogues=2, turns=2)
    for path in sorted((tmp_path / "apart").rglob("*.*")):
        put(tmp_path / "flat" / path.name, path.read_bytes())
    found = turns(read_named(tmp_path / "flat", SourceConfig(corpus="dt")))
    assert [t.id for t in found] == ["dt/0/0", "dt/0/1", "dt/1/0", "dt/1/1"]


def test_list_of_dialogues_and_of_single_utterances(tmp_path: Path):
    for name in ("a b.wav", "【二】.wav", "sub/c.wav"):
        recording(tmp_path / name)
    lines = [
        "a b.wav|ann|EN|Hello there.|talk [1]",
        "sub/c.wav|bob|zh|你好。|talk [1]",
        "【二】.wav|ann|EN|Alone.",
        "too|few",
        "gone.wav|ann|EN|Where?",
    ]
    manifest = put(tmp_path / "x.list", "\n".join(lines))
    pieces = list(turns_of(list_rows(manifest, tmp_path), tmp_path, SourceConfig(corpus="l")))
    found = [(t.id, t.speaker, t.language) for t in pieces if isinstance(t, RawTurn)]
    assert found == [
        ("l/talk [1]/0", "l/ann", "en"),
        ("l/talk [1]/1", "l/bob", "zh"),
        ("l/【二】/0", "l/ann", "en"),
    ]
    assert sorted(codes(pieces)) == ["bad_row", "missing_audio"]


def test_a_table_in_any_order_becomes_dialogues_in_order(tmp_path: Path):
    recording(tmp_path / "one.wav")
    rows = [("d1", 1), ("d2", 0), ("d1", 0), ("d2", 1), ("d2", 1), ("../up", 0)]
    with (tmp_path / "x.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["audio", "text", "speaker", "dialogue", "index", "emotion"])
        for dialogue, index in rows:
            table.writerow(["one.wav", 'He said "a, b"\nand | c', "s", dialogue, index, "anger"])
        table.writerow(["one.wav", "x", "s", "d3", "first", ""])
    pieces = list(turns_of(table_rows(tmp_path / "x.csv", tmp_path), tmp_path, SourceConfig()))
    found = [t for t in pieces if isinstance(t, RawTurn)]
    assert [t.id for t in found] == ["demo/d1/0", "demo/d1/1", "demo/d2/0"]
    assert found[0].text == 'He said "a, b" and | c' and found[0].style == {"name": "anger"}
    assert sorted(codes(pieces)) == ["bad_name", "bad_row", "duplicate_turn", "duplicate_turn"]


def test_a_quoted_table_with_chinese_headers_is_read(tmp_path: Path):
    recording(tmp_path / "out" / "00001_base.wav")
    head = '\ufeff"文件名","文件地址","原始文本","asr处理文本"\r\n'
    row = '"00001_base.wav","out/00001_base.wav","你好，""世界""","你好"\r\n'
    manifest = put(tmp_path / "export.csv", head + row)
    (found,) = turns_of(table_rows(manifest, tmp_path), tmp_path, SourceConfig())
    assert isinstance(found, RawTurn) and found.text == '你好，"世界"'


def test_a_tsv_without_header_is_audio_and_text(tmp_path: Path):
    recording(tmp_path / "a.wav")
    recording(tmp_path / "b.wav")
    manifest = put(tmp_path / "x.tsv", "a.wav\tHello.\nb.wav\t\n")
    pieces = list(turns_of(table_rows(manifest, tmp_path), tmp_path, SourceConfig()))
    assert [t.id for t in pieces if isinstance(t, RawTurn)] == ["demo/a/0"]
    assert codes(pieces) == ["empty_transcript"]


def test_hugging_face_audio_folder(tmp_path: Path):
    recording(tmp_path / "train" / "a.wav")
    recording(tmp_path / "test" / "a.wav")
    put(tmp_path / "train" / "metadata.csv", "file_name,transcription\na.wav,Hello.\n")
    put(tmp_path / "test" / "metadata.jsonl", '{"file_name": "a.wav", "text": "Bye."}\n{"x"\n')
    pieces = list(turns_of(folder_rows(tmp_path), tmp_path, SourceConfig()))
    assert {t.id: t.text for t in pieces if isinstance(t, RawTurn)} == {
        "demo/train/a/0": "Hello.",
        "demo/test/a/0": "Bye.",
    }
    assert codes(pieces) == ["bad_row"]
    with pytest.raises(PrepareError, match="audio folder"):
        list(folder_rows(tmp_path / "train" / "nothing"))


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "C:\\..\\secret.wav", "", "\0"])
def test_a_manifest_never_leads_out_of_the_raw_folder(tmp_path: Path, name: str):
    recording(tmp_path / "secret.wav")
    (tmp_path / "raw").mkdir()
    assert find_audio(name, tmp_path / "raw") is None


def test_the_manifest_must_be_named_where_there_are_several(tmp_path: Path):
    put(tmp_path / "a.jsonl", "")
    put(tmp_path / "b.csv", "")
    with pytest.raises(PrepareError, match=r"a\.jsonl, b\.csv"):
        find_manifest(tmp_path, None, (".jsonl", ".csv"))
    assert find_manifest(tmp_path, "b.csv", ()).name == "b.csv"


def test_scripts_are_read_and_written_back():
    said = [("S1", "Hello there."), ("S2", "Hi."), ("S1", "Well?")]
    assert parse_script("[S1] Hello  there.[s2] Hi.\n[S1]Well?") == said
    assert write_script(said) == "[S1] Hello there. [S2] Hi. [S1] Well?"
    assert parse_script(write_script([("ann", "a"), ("bob", "b")])) == [("S1", "a"), ("S2", "b")]
    for wrong in ("Hello [S1] there", "no tags", "[S1] [S2] x"):
        with pytest.raises(ValueError):
            parse_script(wrong)
    with pytest.raises(ValueError, match="speaker tag"):
        write_script([("ann", "say [S2]")])


def test_scripts_with_recordings_are_turns_and_without_are_dialogues(tmp_path: Path):
    recording(tmp_path / "0.wav")
    lines = [
        {"id": "d", "text": "[S1] Hello. [S2] Hi.", "audio": ["0.wav", "0.wav"]},
        {"id": "e", "text": "[S1] Hello. [S2] Hi.", "audio": ["0.wav"]},
    ]
    path = put(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)))
    pieces = list(turns_of(script_rows(path, tmp_path), tmp_path, SourceConfig()))
    found = [(t.id, t.speaker, t.text) for t in pieces if isinstance(t, RawTurn)]
    assert found == [("demo/d/0", "demo/S1", "Hello."), ("demo/d/1", "demo/S2", "Hi.")]
    assert codes(pieces) == ["bad_row"]
    assert import_scripts(path, tmp_path / "out") == 2
    from GPT_SoVITS.dialogue import Dialogue

    dialogue = Dialogue.load(tmp_path / "out" / "d.json")
    assert [turn.text for turn in dialogue.turns] == ["Hello."]


def test_a_prepared_corpus_leaves_as_scripts(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    assert prepare(raw, tmp_path / "out") == 0
    assert export_scripts(tmp_path / "out", tmp_path / "scripts.jsonl") == 3
    line = json.loads((tmp_path / "scripts.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [text for _, text in parse_script(line["text"])] == TEXTS
    assert all((tmp_path / "out" / audio).is_file() for audio in line["audio"])


def test_encodings_are_stated_never_guessed_in_silence():
    gbk = "你好，世界".encode("gbk")
    assert decode_transcript("\ufeffHi  there\r\n".encode(), "utf-8") == ("Hi there", "utf-8")
    assert decode_transcript(gbk, "auto") == ("你好，世界", "gb18030")
    with pytest.raises(TranscriptError, match="gb18030"):
        decode_transcript(gbk, "utf-8")
    with pytest.raises(TranscriptError, match="neither"):
        decode_transcript(b"caf\xe9 \x81\x30\x81", "auto")


def test_two_folders_of_one_dialogue_are_an_error_not_a_mixture(tmp_path: Path):
    write_corpus(tmp_path / "raw", dialogues=1, turns=1)
    for path in (tmp_path / "raw" / "0").iterdir():
        put(tmp_path / "raw" / path.name, path.read_bytes())
    assert prepare(tmp_path / "raw", tmp_path / "out") == 2


def test_gpt_talkers_processed_folder(shared: Path):
    folder = shared / "data" / "dailytalk" / "processed"
    for take in ("codes", "features"):
        found = turns(read_published(folder, corpus="dt", take=take))  # type: ignore[arg-type]
        assert len(found) == 33
        assert found[0].id == "dt/0/0"


def test_other_dialogues_in_dailytalks_layout_need_no_options(tmp_path: Path, repository: Path):
    """`--config configs/data/dailytalk.yaml --raw DIR --output DIR` on three dialogues."""
    from prepare_datasets.command import main

    raw, output = write_corpus(tmp_path / "raw"), tmp_path / "out"
    config = str(repository / "configs" / "data" / "dailytalk.yaml")
    with pytest.raises(SystemExit) as end:
        main(["--config", config, "--raw", str(raw), "--output", str(output)])
    assert end.value.code == 0
    assert report(output)["kept"] == 12
    assert (output / "report.html").stat().st_size > 10_000


def test_an_empty_folder_has_no_usable_items_and_says_so(tmp_path: Path):
    (tmp_path / "raw").mkdir()
    assert prepare(tmp_path / "raw", tmp_path / "out") == 3
    assert report(tmp_path / "out")["in"] == 0
    assert prepare(tmp_path / "nowhere", tmp_path / "out") == 2


@pytest.mark.parametrize("name", ["my_day", "d_d", "x_d5", "a_dogs_d", "1_0_d1"])
def test_a_dialogues_folder_says_where_its_name_begins(tmp_path: Path, name: str):
    for turn in range(2):
        write_turn(tmp_path / "raw" / name, turn, "bob_dylan" if turn else "0", name, seed=turn)
    found = list(read_named(tmp_path / "raw", SourceConfig(corpus="t", language="en")))
    assert [one.id for one in found] == [f"t/{name}/0", f"t/{name}/1"]
    assert [one.speaker for one in found] == ["t/0", "t/bob_dylan"]


def test_names_composed_in_two_ways_belong_together(tmp_path: Path):
    """A folder packed on one system and transcribed on another."""
    folder = tmp_path / "raw" / "5"
    write_turn(folder, 0, "Zoe\u0308", "5", seed=0)  # e and a diaeresis, as macOS has it
    (folder / "0_Zoe\u0308_d5.txt").rename(folder / "0_Zo\u00eb_d5.TXT")
    (one,) = read_named(tmp_path / "raw", SourceConfig(corpus="t", language="en"))
    assert isinstance(one, RawTurn) and one.text == TEXTS[0]
