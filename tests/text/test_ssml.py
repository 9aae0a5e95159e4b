"""The SSML subset: what each element becomes, and what is refused."""

from __future__ import annotations

import pytest

from GPT_SoVITS.text import Frontend, TextError
from GPT_SoVITS.text.ssml import Break, Utterance, parse


def speak(inner: str) -> list[Utterance | Break]:
    return parse(f"<speak>{inner}</speak>")


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("hi", [Utterance("hi")]),
        ('a<break time="300ms"/>b', [Utterance("a"), Break(0.3), Utterance("b")]),
        ('a<break time="1.5s"/>', [Utterance("a"), Break(1.5)]),
        ('a<break strength="none"/>', [Utterance("a"), Break(0.0)]),
        ("a<break/>", [Utterance("a"), Break(0.4)]),
        ('<sub alias="World Wide Web">WWW</sub> now', [Utterance("World Wide Web now")]),
        ('<phoneme ph="chong2 qing4">重庆</phoneme>', [Utterance("重庆{chong2 qing4}")]),
        (
            'I <phoneme alphabet="x-arpabet" ph="R EH1 D">read</phoneme> it',
            [Utterance("I read{R EH1 D} it")],
        ),
        ('<prosody rate="80%">a</prosody>b', [Utterance("a", 0.8), Utterance("b")]),
        ('<prosody rate="fast">a</prosody>', [Utterance("a", 1.25)]),
        (
            '<prosody rate="0.8"><prosody rate="125%">a</prosody></prosody>',
            [Utterance("a", 1.0)],
        ),
        ('<voice name="anna">a</voice>b', [Utterance("a", voice="anna"), Utterance("b")]),
        ("<p><s>a.</s><s>b.</s></p>", [Utterance("a.\nb.\n\n")]),
        ("", []),
    ],
)
def test_each_element_becomes_its_parts(inner, expected):
    assert speak(inner) == expected


def test_a_namespace_and_a_header_are_accepted():
    document = (
        '<?xml version="1.0"?><speak version="1.1" xml:lang="en"'
        ' xmlns="http://www.w3.org/2001/10/synthesis">hi</speak>'
    )
    assert parse(document) == [Utterance("hi")]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<speak>", "SSML"),
        ("hello", "SSML"),
        ("<p>a</p>", "outermost"),
        ("<speak><audio src='x'/></speak>", "not supported"),
        ("<speak><break time='9000s'/></speak>", "longest"),
        ("<speak><break time='soon'/></speak>", "300ms"),
        ("<speak><break strength='huge'/></speak>", "x-weak"),
        ("<speak><break size='2'/></speak>", "no attribute"),
        ("<speak><sub>a</sub></speak>", "needs alias"),
        ("<speak><prosody rate='9'>a</prosody></speak>", "from 0.5 to 2"),
        ("<speak><prosody rate='quick'>a</prosody></speak>", "write 80%"),
        ("<speak><phoneme alphabet='ipa' ph='a'>a</phoneme></speak>", "pinyin or arpabet"),
        ("<speak><phoneme ph='chong2'>重庆</phoneme></speak>", "does not fit"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><speak>&x;</speak>", "refused"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/hostname'><speak/>", "refused"),
        ("<speak>" + "<p>" * 40 + "</p>" * 40 + "</speak>", "deeper"),
        ("<speak>\x00</speak>", "SSML"),
    ],
)
def test_what_is_outside_the_subset_is_refused_in_words(document, said):
    with pytest.raises(TextError, match=said):
        parse(document)


def test_a_given_reading_reaches_the_phonemes():
    (part,) = speak('I <phoneme ph="R EH1 D">read</phoneme> it')
    assert isinstance(part, Utterance)
    assert " ".join(Frontend()(part.text).phonemes) == "AY1 R EH1 D IH1 T"
