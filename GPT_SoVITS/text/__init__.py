"""The text frontend: text in Chinese, English or both -> phonemes of the published weights.

from GPT_SoVITS.text import Frontend, TextConfig

frontend = Frontend(TextConfig(tags=("<laugh>",)))
sequence = frontend("你好，let's go! <laugh>")
sequence.phonemes, sequence.ids
"""

from GPT_SoVITS.text.config import TextConfig
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.frontend import Frontend
from GPT_SoVITS.text.sequence import PhonemeSequence, Segment
from GPT_SoVITS.text.symbols import SymbolTable

__all__ = ["Frontend", "PhonemeSequence", "Segment", "SymbolTable", "TextConfig", "TextError"]
