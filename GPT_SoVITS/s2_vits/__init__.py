"""Stage 2: the conversation-enriched VITS, from semantic tokens and text to a 32 kHz waveform."""
