"""What the demo corpus talks about: topics as (user, agent) exchanges with slots to fill.

No line hints at how it is said: the style of a turn must come from the speech before it. Lines are
short, so that turns last one to three seconds.
"""

from __future__ import annotations

import random
import string

SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "name": ("Anna", "Peter", "Lucy", "Martin", "Emma", "David", "Sarah", "Tom", "Julia"),
        "place": ("London", "Boston", "the library", "the market", "the station", "the park"),
        "food": ("soup", "noodles", "rice", "pizza", "a salad", "pancakes", "fish", "bread"),
        "drink": ("tea", "coffee", "water", "apple juice", "lemonade", "milk"),
        "thing": ("the keys", "the red bag", "my phone", "the tickets", "the blue coat", "a map"),
        "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "time": ("seven", "half past eight", "nine", "noon", "five", "quarter past six"),
        "number": ("12", "15", "18", "20", "24", "30", "36", "45", "60", "75", "110", "250"),
        "weather": ("rain", "snow", "sunshine", "wind", "fog", "warm weather"),
        "pet": ("cat", "dog", "rabbit", "parrot", "goldfish"),
        "hobby": ("painting", "swimming", "cooking", "reading", "chess", "singing"),
        "color": ("green", "yellow", "black", "white", "brown", "silver"),
    },
    "zh": {
        "name": ("小明", "王芳", "李华", "张伟", "陈静", "刘洋", "小红", "老周"),
        "place": ("北京", "上海", "图书馆", "菜市场", "火车站", "公园", "学校"),
        "food": ("面条", "米饭", "饺子", "包子", "鱼", "豆腐", "青菜"),
        "drink": ("茶", "咖啡", "水", "苹果汁", "牛奶", "豆浆"),
        "thing": ("钥匙", "红色的包", "手机", "车票", "蓝色的外套", "地图"),
        "day": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期天"),
        "time": ("七点", "八点半", "九点", "中午", "五点", "六点一刻"),
        "number": ("12", "15", "18", "20", "24", "30", "36", "45", "60", "75"),
        "weather": ("下雨", "下雪", "出太阳", "刮风", "有雾", "变暖"),
        "pet": ("猫", "狗", "兔子", "鹦鹉", "金鱼"),
        "hobby": ("画画", "游泳", "做饭", "看书", "下棋", "唱歌"),
        "color": ("绿色", "黄色", "黑色", "白色", "棕色", "银色"),
    },
}

Exchange = tuple[str, str]
TOPICS: dict[str, tuple[tuple[Exchange, ...], ...]] = {
    "en": (
        (
            ("I am going to {place} on {day}.", "Then take {thing} with you."),
            ("The train leaves at {time}.", "I will call you before {time}."),
            ("How far is {place} from here?", "It is about {number} miles."),
            ("Who is coming with us?", "{name} and {name} are coming."),
            ("Did you buy the tickets?", "Yes, they cost {number} dollars."),
        ),
        (
            ("I would like {food} for dinner.", "We have {food} and {drink}."),
            ("Is there any {drink} left?", "There is some in the kitchen."),
            ("{name} made {food} for us.", "I will have it with {drink}."),
            ("How many plates do we need?", "We need {number} of them."),
            ("When do we eat today?", "We can eat at {time}."),
        ),
        (
            ("There will be {weather} on {day}.", "The news said {weather}."),
            ("Look at the sky over {place}.", "It has been like that since {day}."),
            ("Shall we walk to {place}?", "We can walk there at {time}."),
            ("It was {number} degrees today.", "It will be {number} on {day}."),
        ),
        (
            ("I cannot find {thing}.", "I saw it at {place}."),
            ("{name} has {thing} now.", "I can ask {name} about it."),
            ("What colour is your car?", "It is {color} and {color}."),
            ("The shop closes at {time}.", "I will be there before {time}."),
            ("My new number ends in {number}.", "I wrote down {number}."),
        ),
        (
            ("{name} bought a {pet} on {day}.", "My brother has a {pet} too."),
            ("What is the name of the {pet}?", "The {pet} is called {name}."),
            ("The {pet} is {color}.", "I have only seen a {color} one."),
            ("Do you like {hobby}?", "I prefer {hobby}."),
            ("{name} goes {number} times a year.", "I go there every {day}."),
        ),
        (
            ("I have a meeting at {time}.", "We can talk after the meeting."),
            ("Please tell {name} about it.", "I will write to {name} on {day}."),
            ("The room number is {number}.", "So it is room {number}."),
            ("We have {number} guests today.", "I will bring more {drink}."),
            ("The report is due on {day}.", "I will send it at {time}."),
        ),
    ),
    "zh": (
        (
            ("我{day}要去{place}。", "那你带上{thing}。"),
            ("火车{time}开。", "我{time}给你打电话。"),
            ("{place}离这里多远？", "大概{number}公里。"),
            ("谁和我们一起去？", "{name}和{name}一起去。"),
            ("你买票了吗？", "买了，一共{number}块。"),
        ),
        (
            ("我晚饭想吃{food}。", "家里有{food}和{drink}。"),
            ("还有{drink}吗？", "厨房里还有一些。"),
            ("{name}给我们做了{food}。", "我想配一点{drink}。"),
            ("我们要几个盘子？", "我们要{number}个。"),
            ("今天什么时候吃饭？", "我们{time}吃饭。"),
        ),
        (
            ("{day}可能会{weather}。", "新闻也说会{weather}。"),
            ("你看{place}那边的天空。", "从{day}就是这样。"),
            ("我们走路去{place}吧？", "我们{time}可以走过去。"),
            ("今天有{number}度。", "{day}会有{number}度。"),
        ),
        (
            ("我找不到{thing}。", "我在{place}看见过。"),
            ("{thing}在{name}那里。", "我可以问问{name}。"),
            ("你的车是什么颜色？", "是{color}的。"),
            ("商店{time}关门。", "我{time}以前到。"),
            ("我的新号码最后是{number}。", "我记下了，是{number}。"),
        ),
        (
            ("{name}{day}买了一只{pet}。", "我弟弟也有{pet}。"),
            ("这只{pet}叫什么？", "它的名字叫{name}。"),
            ("那只{pet}是{color}的。", "我只见过{color}的。"),
            ("你喜欢{hobby}吗？", "我更常{hobby}。"),
            ("{name}常常去{place}。", "我每个{day}去。"),
        ),
        (
            ("我{time}有一个会。", "开完会我们再说。"),
            ("请你告诉{name}。", "我{day}给{name}写信。"),
            ("房间号是{number}。", "那就是{number}号房间。"),
            ("今天有{number}位客人。", "我多拿一点{drink}。"),
            ("报告{day}要交。", "我{time}发给你。"),
        ),
    ),
}


def write_lines(language: str, exchanges: int, rng: random.Random) -> list[str]:
    """Texts of one dialogue, user and agent in turn: 2 × `exchanges` lines, no line twice."""
    pool = [pair for topic in rng.sample(TOPICS[language], 3) for pair in topic]
    start = rng.randrange(len(pool))
    pairs = [pool[(start + step) % len(pool)] for step in range(exchanges)]
    return [_fill(line, language, rng) for pair in pairs for line in pair]


def _fill(template: str, language: str, rng: random.Random) -> str:
    """Put a word into each slot, never the same word twice in one line."""
    pieces, used = [], set[str]()
    for literal, slot, _, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if slot:
            word = rng.choice([word for word in SLOTS[language][slot] if word not in used])
            used.add(word)
            pieces.append(word)
    text = "".join(pieces)
    return text[0].upper() + text[1:]
