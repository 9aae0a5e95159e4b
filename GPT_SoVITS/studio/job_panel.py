"""The part of a page that shows its jobs: choose one, see how far it is, stop it, go on with it."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from GPT_SoVITS.studio.errors import sentence
from GPT_SoVITS.studio.handlers import spoken_errors
from GPT_SoVITS.studio.jobs import LIVE, Job
from GPT_SoVITS.studio.progress import progress_of
from GPT_SoVITS.studio.words import Words
from GPT_SoVITS.studio.workshop import Workshop

TICK_SECONDS = 2.0
Details = Callable[[Job], Sequence[Any]]


class JobPanel:
    """Built inside a page. `outputs` are what `show` fills; `details` are the page's own parts."""

    def __init__(self, workshop: Workshop, t: Words, *kinds: str) -> None:
        self.workshop, self.t, self.kinds = workshop, t, kinds
        name = kinds[0]
        self.chosen = gr.Dropdown(
            label=t("jobs.list"), choices=[], elem_id=f"{name}-jobs", interactive=True
        )
        self.status = gr.HTML(self.empty(), elem_id=f"{name}-status")
        with gr.Row(elem_classes="buttons"):
            self.stop = gr.Button(t("jobs.stop"), elem_id=f"{name}-stop", interactive=False)
            self.resume = gr.Button(t("jobs.resume"), elem_id=f"{name}-resume", interactive=False)
        with gr.Accordion(t("jobs.log"), open=False):
            self.log = gr.HTML("", elem_id=f"{name}-log")
        self.seen = gr.State("")
        self.clock = gr.Timer(TICK_SECONDS, active=False)  # runs while the chosen job does
        self.outputs = [self.status, self.stop, self.resume, self.log, self.seen, self.clock]
        self._extra: list[Any] = []
        self._details: Details | None = None

    def empty(self) -> str:
        """What is said while there is no job."""
        return f"<p class='hint'>{html.escape(self.t('jobs.none.' + self.kinds[0]))}</p>"

    def wire(self, *, outputs: Sequence[Any] = (), details: Details | None = None) -> None:
        """Connect buttons and clock. `details(job)` fills `outputs` whenever something changed.

        Clock and list share one handler whose answers come one after the other: a late answer
        about one job never covers the next one's, after which no clock would run any more.
        """
        self._extra, self._details = list(outputs), details
        everything = [*self.outputs, *self._extra]
        gr.on(
            [self.clock.tick, self.chosen.change],
            spoken_errors(self._changed),
            [self.chosen, self.seen],
            everything,
            show_progress="hidden",
            concurrency_limit=None,
            trigger_mode="always_last",
        )
        self.stop.click(self._stop, self.chosen, everything, show_progress="hidden")
        self.resume.click(self._resume, self.chosen, everything, show_progress="hidden")

    def load(self) -> Any:
        """The list of jobs when a page is opened: a running one is chosen, else the newest."""
        jobs = self.workshop.jobs.all(*self.kinds)
        running = [job.id for job in jobs if job.lives]
        first = running[0] if running else jobs[0].id if jobs else None
        return gr.Dropdown(choices=self.choices(jobs), value=first)

    def started(self, job: Job) -> Any:
        """The list with a job that was just started chosen."""
        return gr.Dropdown(choices=self.choices(self.workshop.jobs.all(*self.kinds)), value=job.id)

    def choices(self, jobs: Sequence[Job]) -> list[tuple[str, str]]:
        """What the list shows, and the id it stands for."""
        when = "%m-%d %H:%M:%S"
        return [(f"{time.strftime(when, time.localtime(j.created))} {j.title}", j.id) for j in jobs]

    @property
    def _stop(self) -> Any:
        def stop(chosen: str | None) -> list[Any]:
            self.workshop.jobs.stop(self.workshop.jobs.get(chosen or ""))
            return self._changed(chosen, "")

        return spoken_errors(stop)

    @property
    def _resume(self) -> Any:
        def resume(chosen: str | None) -> list[Any]:
            self.workshop.jobs.resume(self.workshop.jobs.get(chosen or ""))
            return self._changed(chosen, "")

        return spoken_errors(resume)

    def _changed(self, chosen: str | None, seen: str) -> list[Any]:
        """New content where it differs from what the page shows; else nothing is sent."""
        n = len(self.outputs) + len(self._extra)
        if not chosen:
            return [gr.skip()] * n
        job = self.workshop.jobs.get(chosen)
        state = job.state
        status, log = self._status(job, state), job.tail(40)
        now = f"{chosen} {state} {progress_of(job)} {log}"
        if now == seen:
            return [status, *[gr.skip()] * (n - 1)] if state in LIVE else [gr.skip()] * n
        more, fault = self._more(job)
        return [
            status + fault,
            gr.Button(interactive=state in LIVE),
            gr.Button(interactive=state not in (*LIVE, "done", "noted")),
            f"<pre>{html.escape(log)}</pre>",
            now,
            gr.Timer(active=state in LIVE),
            *more,
        ]

    def _more(self, job: Job) -> tuple[Sequence[Any], str]:
        """The page's own parts, or why they cannot be shown: the job itself is shown anyway."""
        nothing = [gr.skip()] * len(self._extra)
        if self._details is None:
            return nothing, ""
        try:
            return self._details(job), ""
        except Exception as error:
            return nothing, f"<p class='why'>{html.escape(sentence(error))}</p>"

    def _status(self, job: Job, state: str) -> str:
        progress, t = progress_of(job), self.t
        share = 100 if state in ("done", "noted") else round(100 * progress.share)
        said = [t("jobs.seconds", seconds=round(job.seconds()))]
        if progress.total:
            count = t("jobs.count", done=progress.done, total=progress.total)
            said.insert(0, f"{progress.what} {count}".strip())
        text = html.escape(" · ".join(said))
        why = self._why(job) if state in ("failed", "lost", "stopped", "noted") else ""
        return (
            f"<div class='job' role='status' data-state='{state}' data-job='{job.id}'>"
            f"<div class='job-head'>"
            f"<b>{html.escape(job.title)}</b>"
            f"<span class='badge {state}'>{html.escape(t('jobs.state.' + state))}</span></div>"
            f"<progress max='100' value='{share}'></progress><div>{text}</div>{why}</div>"
        )

    def _why(self, job: Job) -> str:
        """The last thing the command said, and what can be done."""
        state = job.state
        lines = [line for line in job.log().splitlines() if line and not line.startswith("---")]
        last = f"<div class='why'>{html.escape(lines[-1])}</div>" if lines else ""
        advice = html.escape(self.t(f"jobs.advice.{state}"))
        return f"{last if state == 'failed' else ''}<div class='hint'>{advice}</div>"
