"""Past turns of stage 2: padding, roles' places and the empty cases."""

import numpy as np
import torch

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.s2_vits.history import PastTurn, collate_history, with_history_spectrograms


def turn(n_phonemes: int, n_frames: int, role: int, distance: int) -> PastTurn:
    rng = np.random.default_rng(n_frames)
    wave = rng.normal(size=n_frames * HOP_LENGTH).astype(np.float32) * 0.1
    return PastTurn(np.arange(1, n_phonemes + 1), wave, role, distance)


def test_no_turn_anywhere_is_no_history():
    assert collate_history([(), ()]) is None


def test_rows_are_padded_and_their_phonemes_joined_oldest_first():
    rows = [(turn(3, 20, 1, 2), turn(2, 30, 0, 1)), ()]
    history = collate_history(rows)
    assert history is not None
    assert history.phoneme_ids.tolist() == [[1, 2, 3, 1, 2], [0, 0, 0, 0, 0]]
    assert history.phoneme_lengths.tolist() == [5, 0]
    assert history.frames.tolist() == [[20, 30], [0, 0]]
    assert history.role.tolist()[0] == [1, 0] and history.distance.tolist()[0] == [2, 1]


def test_a_padded_turn_has_the_spectrogram_it_has_alone_up_to_the_edge():
    short, long = turn(1, 20, 1, 2), turn(1, 40, 1, 1)
    both = collate_history([(short, long)])
    assert both is not None
    spectrograms = with_history_spectrograms(both).spectrograms
    alone = linear_spectrogram(torch.from_numpy(long.wave)[None])[0]
    assert torch.allclose(spectrograms[0, 1], alone)
    assert (spectrograms[0, 0, :, 20:] == 0).all()


def test_a_turn_known_by_its_text_only_has_no_frames():
    history = collate_history([(PastTurn(np.array([5]), None, 1, 1),)])
    assert history is not None and history.frames.tolist() == [[0]]
    assert history.phoneme_ids.tolist() == [[5]]
