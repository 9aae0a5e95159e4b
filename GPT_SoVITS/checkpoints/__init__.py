"""Model files: our own safe format, talker folders, and the door to published checkpoints."""

from GPT_SoVITS.checkpoints.container import CheckpointError
from GPT_SoVITS.checkpoints.format import read_header, save_model
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.loading import load_s1, load_s2, load_speaker
from GPT_SoVITS.checkpoints.talker_folder import TalkerFolder, read_talker, write_talker

__all__ = [
    "CheckpointError",
    "ModelHeader",
    "TalkerFolder",
    "load_s1",
    "load_s2",
    "load_speaker",
    "read_header",
    "read_talker",
    "save_model",
    "write_talker",
]
