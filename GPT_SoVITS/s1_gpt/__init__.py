"""Stage 1: the semantic GPT, from dialogue history and response text to the response's semantic tokens."""
