"""The model behind the server: worker threads, a bounded queue, one decoding batch per talker.

The event loop never computes: it submits a job and waits. `limits.running` jobs are worked on at a
time, each in its thread; their tokens come from the shared decoding thread, their sound is made
in their own.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.errors import ApiError, as_api_error, overloaded
from GPT_SoVITS.server.jobs import Job, Work
from GPT_SoVITS.server.logs import event
from GPT_SoVITS.server.metrics import Metrics


class Engine:
    """Speaks for everyone at once; nothing of one request is visible to another."""

    def __init__(self, talker: Talker, config: ServeConfig, metrics: Metrics) -> None:
        self.talker, self._config, self._metrics = talker, config, metrics
        self._queue: deque[Job] = deque()
        self._active: set[Job] = set()
        self._wake = threading.Condition()
        self.draining = self._stopping = False
        self._seconds = 1.0  # running mean of a job's time: how long a place in the queue takes
        self._watching = False  # a timer waits for the oldest job in the queue
        self._talkers: dict[str, tuple[Talker, SharedDecoding]] = {}
        self._loading = threading.Lock()
        self.served("")
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(config.limits.running)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def ready(self) -> bool:
        """Whether a request would be worked on."""
        decoding = self._talkers[""][1]
        return not self.draining and decoding.alive and any(t.is_alive() for t in self._threads)

    @property
    def adapters(self) -> list[str]:
        """Names of the talker's adapters."""
        folder = None if self.talker.folder is None else Path(self.talker.folder) / "adapters"
        if folder is None or not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if path.is_dir())

    @property
    def steps(self) -> int:
        """Decoding steps taken so far, all talkers together."""
        return sum(decoding.steps for _, decoding in self._talkers.values())

    def served(self, adapter: str) -> tuple[Talker, SharedDecoding]:
        """The talker with an adapter and its decoding thread; made when first asked for."""
        with self._loading:
            if adapter not in self._talkers:
                talker = self.talker.with_adapter(adapter) if adapter else self.talker
                decoding = SharedDecoding(
                    talker.decoder(self._config.precision),
                    mask=talker.layout.mask,
                    slots=self._config.limits.running,
                    stands_back=self.talker.device.type == "cpu",
                    on_step=self._stepped,
                )
                self._talkers[adapter] = (talker, decoding)
            return self._talkers[adapter]

    def submit(self, work: Work, *, name: str, on_done: Callable[[], None] | None = None) -> Job:
        """Queue work; 503 where the server is stopping, 429 where there is no place in time.

        That is: where the queue is full, where those before take longer than `queue_seconds`, or,
        later and told to whoever waits for the job, where it is still waiting by then.
        """
        with self._wake:
            if self.draining or self._stopping:
                raise ApiError(
                    503, "stopping", "the server is stopping", headers={"Retry-After": "5"}
                )
            idle = len(self._threads) - len(self._active)
            limits = self._config.limits
            if len(self._queue) >= limits.queue + max(0, idle):
                raise self._refused("queue_full", "too many requests wait already")
            if idle <= 0 and self._wait > limits.queue_seconds:
                raise self._refused("queue_slow", "those who wait already take too long")
            job = Job(work, name=name)
            job.on_done = on_done
            self._queue.append(job)
            self._measure()
            self._wake.notify()
        self._watch()
        return job

    @property
    def _wait(self) -> float:
        """Seconds until those who wait now have their places; with the lock held."""
        return self._seconds * len(self._queue) / len(self._threads)

    def _refused(self, reason: str, message: str) -> ApiError:
        """With the lock held: counted, and told when to come back."""
        self._metrics.rejects.labels(reason).inc()
        return overloaded(message, retry_after=min(round(self._wait), 60))

    def _watch(self) -> None:
        """In the event loop: be there when the oldest job in the queue has waited too long."""
        with self._wake:
            if self._watching or not self._queue:
                return
            self._watching = True
            due = self._queue[0].created + self._config.limits.queue_seconds
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, due - time.monotonic()), self._refuse_late)

    def _refuse_late(self) -> None:
        late = time.monotonic() - self._config.limits.queue_seconds
        with self._wake:
            self._watching = False
            jobs = [job for job in self._queue if job.created <= late]
            told = [self._refused("queue_slow", "no place became free in time") for _ in jobs]
            for job in jobs:
                self._queue.remove(job)
            self._measure()
        for job, error in zip(jobs, told):
            job.finish(error)
        self._watch()

    def drop(self, job: Job, reason: str) -> None:
        """Nobody waits for this job."""
        job.cancel(reason)
        with self._wake:
            if job not in self._queue:
                return
            self._queue.remove(job)
            self._measure()
        self._metrics.cancelled.labels(reason).inc()
        job.finish(ReplyCancelled(reason))

    def close(self) -> None:
        """Cancel what runs, stop all threads."""
        with self._wake:
            self.draining = self._stopping = True
            jobs, waiting = list(self._active), list(self._queue)
            self._queue.clear()
            self._wake.notify_all()
        for job in jobs:
            job.cancel("shutdown")
        for job in waiting:
            job.finish(ReplyCancelled("shutdown"))
        for thread in self._threads:
            thread.join(10)
        for _, decoding in self._talkers.values():
            decoding.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait()
                if self._stopping:
                    return
                job = self._queue.popleft()
                self._active.add(job)
                self._measure()
            try:
                self._work(job)
            finally:
                with self._wake:
                    self._active.discard(job)
                    self._measure()

    def _work(self, job: Job) -> None:
        """Do one job to its end; no error leaves, so that the thread takes the next one."""
        started, audio, first = time.monotonic(), 0.0, None
        try:
            job.check()
            for item in job.work(job):
                job.check()
                if isinstance(item, Speech):
                    first = first or time.monotonic() - job.created
                    audio += item.seconds
                job.deliver(item)
        except ReplyCancelled as error:
            self._seconds = max(self._seconds, time.monotonic() - started)  # it took that at least
            self._metrics.cancelled.labels(job.reason or "client_gone").inc()
            job.finish(error)
            return
        except BaseException as error:  # told to the client and the log; the worker lives on
            told = as_api_error(error)
            if told.status_code >= 500:
                self._metrics.failed.labels(type(error).__name__).inc()
                event("job_failed", level=logging.ERROR, error=error, job=job.name)
            job.finish(told)
            return
        took = time.monotonic() - started
        self._seconds += 0.1 * (took - self._seconds)
        if first is not None and audio:
            self._metrics.first_chunk.observe(first)
            self._metrics.reply.observe(time.monotonic() - job.created)
            self._metrics.rtf.observe(took / audio)
            self._metrics.audio.inc(audio)
        job.finish()

    def _measure(self) -> None:
        self._metrics.queue.set(len(self._queue))
        self._metrics.running.set(len(self._active))

    def _stepped(self, rows: int, tokens: int, seconds: float) -> None:
        self._metrics.steps.inc()
        self._metrics.tokens.inc(tokens)
        self._metrics.step_seconds.inc(seconds)
        self._metrics.rows.set(rows)
