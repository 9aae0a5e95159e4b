"""Audio: the project's constants, reading and writing of sound files, spectrograms."""
