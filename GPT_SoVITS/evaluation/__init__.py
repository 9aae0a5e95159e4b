"""Measurements on finished models: does the history matter, and by how much."""
