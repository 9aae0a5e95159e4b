"""English: normalisation, dictionary, prediction of unknown words, phonemes."""
