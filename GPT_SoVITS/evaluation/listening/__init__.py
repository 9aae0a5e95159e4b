"""Listening tests: blinded pages that work offline, and the analysis of their answers."""
