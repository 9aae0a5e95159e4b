"""The numbers of sound that everything shares (spec: s2 §11)."""

SAMPLE_RATE = 32000
"""Hz of every waveform inside the project."""
HOP_LENGTH = 640
"""Samples per spectrogram frame."""
N_FFT = 2048
WIN_LENGTH = 2048
N_SPEC_BINS = N_FFT // 2 + 1
N_MELS = 128
FRAME_RATE = SAMPLE_RATE // HOP_LENGTH
"""Frames per second (50)."""
TOKEN_RATE = 25
"""Semantic tokens per second."""
SAMPLES_PER_TOKEN = SAMPLE_RATE // TOKEN_RATE
"""Samples per semantic token (1280, two frames)."""
