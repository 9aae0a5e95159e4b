"""What is measured on speech, text and tokens; definitions, units and sources are in the code."""
