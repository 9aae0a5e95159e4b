"""What people type: dates, telephones, prices, capitals, faces, in both languages and mixed."""

from __future__ import annotations

import pytest

from GPT_SoVITS.text import Frontend, TextConfig
from GPT_SoVITS.text.chinese.pronounce import pronounce


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(TextConfig(unknown_tags="speak"))


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("on 05-12-2024 and 2024/05/12", "on May twelfth, twenty twenty-four and May twelfth, "
         "twenty twenty-four"),
        ("on 5 May 2024, from May 5-7", "on the fifth of May twenty twenty-four, from May fifth to "
         "seventh"),
        ("5 March people", "five March people"),
        ("March 3. Then", "March third. Then"),
        ("in his late 40s and the '60s", "in his late forties and the sixties"),
        ("back in '05", "back in oh five"),
        ("9am-5pm, 8:00-9:30", "nine A M to five P M, eight o'clock to nine thirty"),
        ("27:35 minutes, 3:1 odds", "twenty-seven thirty-five minutes, three to one odds"),
        ("call +1 415 555 2671 or 415.555.2671", "call plus one, four one five, five five five, "
         "two six seven one or four one five, five five five, two six seven one"),
        ("US$50, HK$1 and $5-$10, 5¢", "fifty dollars, one Hong Kong dollar and five dollars to "
         "ten dollars, five cents"),
        ("2 1/2 tbsp, 3/4 tsp", "two and a half tablespoons, three fourths teaspoon"),
        ("he's 6'2\", 10 sq ft", "he's six foot two, ten square feet"),
        ("6 x 7 = 42, 7-3=4, 4x4, 10^6", "six times seven equals forty-two, seven minus three "
         "equals four, four by four, ten to the power of six"),
        ("MP3s and DVDs, C# main.py", "MP threes and DVDs, C sharp main dot py"),
        ("Henry VIII, Rocky II, My IV", "Henry the eighth, Rocky two, My IV"),
        ("Mr. O'Brien, Ms. Li, Oak Dr.", "mister O'Brien, miz Li, Oak drive."),
        ("w/ milk, w/o sugar, 24/7", "with milk, without sugar, twenty-four seven"),
        ("vol. 3, p. 45, Fri., a.k.a. me", "volume three, page forty-five, Friday, A K A me"),
        ("I said no. 5 came, No. 5", "I said no. five came, number five"),
        (":D nice :) <3", "nice"),
        ("The answer: D. 8:3", "The answer, D. eight to three"),
    ],
)  # fmt: skip
def test_english_is_read_as_it_is_said(frontend, text, normalized):
    assert frontend(text, "en").normalized == normalized


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("售价¥5999.00，100.00元，美元$50", "售价五千九百九十九元,一百元,美元五十"),
        (
            "血压120/80，比分3:2，以3-1获胜，1：100",
            "血压一百二十,八十,比分三比二,以三比一获胜,一比一百",
        ),
        ("4月5日-6日，2019—2023年", "四月五日到六日,二零一九到二零二三年"),
        ("一共20000，满分100，房间1102，2000年", "一共二万,满分一百,房间幺幺零二,二零零零年"),
        ("①②③", "一,二,三"),
        ("COVID-19期间，GPT-4很好", "COVID nineteen期间, GPT four很好"),
    ],
)
def test_chinese_and_mixed_text_is_read_as_it_is_said(frontend, text, normalized):
    assert frontend(text).normalized == normalized


@pytest.mark.parametrize(
    ("text", "pinyin"),
    [
        ("我还得还钱", "wo3 hai2 dei3 huan2 qian2"),
        ("我得去", "wo3 dei3 qu4"),
        ("得了第一名", "de2 le5 di4 yi1 ming2"),
        ("跑得快", "pao3 de5 kuai4"),
        ("受得了", "shou4 de5 liao3"),
        ("不得不", "bu4 de2 bu4"),
        ("高兴得跳", "gao1 xing4 de5 tiao4"),
        ("二比一赢了", "er4 bi3 yi1 ying2 le5"),
    ],
)
def test_single_characters_are_read_by_what_is_around_them(text, pinyin):
    assert " ".join(char.pinyin for char in pronounce(text)) == pinyin


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("AI, IT, VR", "EY1 AY1 , AY1 T IY1 , V IY1 AA1 R"),
        ("STOP IT NOW", "S T AA1 P IH1 T N AW1"),
        ("I am SO happy", "AY1 AE1 M S OW1 HH AE1 P IY0"),
        ("my HTML, DVDs", "M AY1 EY1 CH T IY1 EH1 M EH1 L , D IY1 V IY1 D IY1 Z"),
        ("Jax is doin' fine", "JH AE1 K S IH1 Z D UW1 IH0 N F AY1 N"),
        ("omg re-enter yyds", "OW1 EH1 M JH IY1 R IY0 EH1 N T ER0 W AY1 W AY1 D IY1 EH1 S"),
        ("Ms. Lee", "M IH1 Z L IY1"),
    ],
)
def test_english_words_outside_the_dictionary_are_said_or_spelled(frontend, text, phonemes):
    assert " ".join(frontend(text).phonemes) == phonemes
