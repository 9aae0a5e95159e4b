"""Stage 1: the semantic GPT. Dialogue columns in, semantic tokens (25 per second) out."""
