"""Building blocks shared by both networks: masks, convolutions, attention, WaveNet."""
