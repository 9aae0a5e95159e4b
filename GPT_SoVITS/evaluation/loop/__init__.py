"""Manifest -> speech -> recogniser -> scores -> report, resumable row by row."""
