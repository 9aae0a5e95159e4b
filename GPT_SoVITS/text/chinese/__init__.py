"""Mandarin: normalisation, words, readings, tone sandhi, phonemes."""
