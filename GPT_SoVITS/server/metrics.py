"""What Prometheus reads from `/metrics`; one registry per server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 60.0)
FACTORS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0)
PREFIX = "gpt_sovits_"


class Metrics:
    """All measurements of a server."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(PREFIX + name, text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(PREFIX + name, text, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(PREFIX + name, text, registry=registry, buckets=buckets)

        self.requests = counter("requests", "HTTP requests", "route", "status")
        self.queue = gauge("queue_length", "replies that wait for a place")
        self.running = gauge("in_flight", "replies being worked on")
        self.rows = gauge("decoding_rows", "replies in the current decoding step")
        self.dialogues = gauge("dialogues", "open dialogues")
        self.first_chunk = histogram("first_chunk_seconds", "request to first sound", SECONDS)
        self.reply = histogram("reply_seconds", "request to last sound", SECONDS)
        self.rtf = histogram("real_time_factor", "working time / length of the sound", FACTORS)
        self.tokens = counter("semantic_tokens", "semantic tokens decoded")
        self.steps = counter("decoding_steps", "decoding steps, all rows of a batch at once")
        self.step_seconds = counter("decoding_seconds", "seconds spent in decoding steps")
        self.audio = counter("audio_seconds", "seconds of speech made")
        self.rejects = counter("rejects", "requests refused for load", "reason")
        self.cancelled = counter("cancelled", "replies stopped because nobody waits", "reason")
        self.failed = counter("failed_replies", "replies that failed", "stage")

    def text(self) -> bytes:
        """The page."""
        return generate_latest(self.registry)
