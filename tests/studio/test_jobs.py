"""Jobs are child processes that outlive whoever started them, and say how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.job_runner import write_json
from GPT_SoVITS.studio.jobs import Job, Jobs
from GPT_SoVITS.studio.progress import progress_of

PATIENCE = 30.0
SLEEP = [sys.executable, "-u", "-c", "import time; print('at work'); time.sleep(60)"]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def program(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs")


def test_a_job_runs_to_its_end_and_says_so(jobs: Jobs):
    job = jobs.start("train", "a title", program("print('hello')"))
    until(lambda: not job.lives)
    assert (job.state, job.tail()) == ("done", "hello")
    assert [one.id for one in jobs.all("train")] == [job.id] and jobs.all("import") == []


def test_words_of_a_command_are_never_read_by_a_shell(jobs: Jobs, tmp_path: Path):
    hostile = f"; touch {tmp_path}/pwned; $(touch {tmp_path}/pwned) `touch {tmp_path}/pwned`"
    job = jobs.start("train", hostile, [*program("import sys; print(sys.argv[1])"), hostile])
    until(lambda: not job.lives)
    assert job.tail() == hostile and not (tmp_path / "pwned").exists()


def test_a_failing_command_fails_and_an_expected_code_is_noted(jobs: Jobs):
    job = jobs.start("train", "fails", program("raise SystemExit(3)"))
    noted = jobs.start("prepare", "noted", program("raise SystemExit(3)"), facts={"noted": 3})
    until(lambda: not (job.lives or noted.lives))
    assert (job.state, noted.state) == ("failed", "noted")


def test_a_command_that_is_not_there_is_a_failure_with_a_sentence(jobs: Jobs):
    job = jobs.start("train", "absent", ["/nowhere/at/all"])
    until(lambda: not job.lives)
    assert job.state == "failed" and "could not be started" in job.tail()


def test_stopping_asks_first_and_resuming_starts_the_same_command(jobs: Jobs):
    job = jobs.start("train", "long", SLEEP)
    until(lambda: "at work" in job.tail())
    assert job.state == "running"
    with pytest.raises(StudioError, match="still works"):
        jobs.resume(job)
    jobs.stop(job)
    until(lambda: not job.lives)
    assert job.state == "stopped" and "KeyboardInterrupt" in job.log()
    jobs.resume(job)
    until(lambda: job.log().count("at work") == 2)
    assert job.state == "running" and "--- resumed ---" in job.log()
    jobs.stop(job)
    until(lambda: not job.lives)


def test_a_job_outlives_the_process_that_started_it(tmp_path: Path):
    """Killed without a last word, as a studio may be; another one finds the job at work."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from GPT_SoVITS.studio.jobs import Jobs\n"
        f"Jobs(Path({str(tmp_path)!r})).start('train', 'long', {SLEEP!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(program(code), cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    jobs = Jobs(tmp_path)
    (job,) = jobs.all()
    until(lambda: "at work" in job.tail())
    assert job.state == "running"
    jobs.stop(job)
    until(lambda: not job.lives)
    assert job.state == "stopped"


def test_a_job_whose_processes_are_gone_is_lost_and_can_go_on(jobs: Jobs):
    job = jobs.start("train", "long", SLEEP)
    until(lambda: (job.place / "running.json").is_file() and "at work" in job.tail())
    os.killpg(int((job.place / "running.json").read_text().split('"pid": ')[1].split(",")[0]), 9)
    until(lambda: not job.lives)
    assert job.state == "lost"
    jobs.resume(job)
    until(lambda: job.log().count("at work") == 2)
    jobs.stop(job)
    until(lambda: not job.lives)


def test_jobs_that_want_the_device_take_turns_and_a_waiting_one_can_be_stopped(jobs: Jobs):
    first = jobs.start("train", "first", SLEEP, alone=True)
    until(lambda: "at work" in first.tail())
    second = jobs.start("train", "second", program("print('my turn')"), alone=True)
    third = jobs.start("train", "third", program("print('never')"), alone=True)
    until(lambda: second.state == third.state == "waiting")
    other = jobs.start("prepare", "other", program("print('beside')"))
    until(lambda: other.state == "done")
    jobs.stop(third)
    until(lambda: third.state == "stopped")
    jobs.stop(first)
    until(lambda: second.state == "done")
    assert second.tail() == "my turn" and "never" not in third.log()


def test_a_command_that_crashes_is_started_once_more_and_then_no_more(jobs: Jobs, tmp_path: Path):
    once = "import os, pathlib; p = pathlib.Path({0!r}); n = p.exists(); p.touch(); "
    die = "os.kill(os.getpid(), 9)"
    mends = program(once.format(str(tmp_path / "seen")) + f"print('fine') if n else {die}")
    job = jobs.start("train", "crashes once", mends)
    until(lambda: not job.lives)
    assert job.state == "done" and job.log().count("ended by signal 9") == 1
    job = jobs.start("train", "crashes", program(f"import os; print('up'); {die}"))
    until(lambda: not job.lives)
    assert job.state == "failed" and job.log().count("up") == 2


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "x y"])
def test_a_job_is_found_by_its_name_only(jobs: Jobs, name: str):
    with pytest.raises(StudioError):
        jobs.get(name)


def test_progress_is_read_from_bars_and_metrics(tmp_path: Path):
    place = tmp_path / "one"
    place.mkdir()
    write_json(place / "job.json", {})
    (place / "log.txt").write_text(
        "step3_speech:  20%|##  | 2/10 [00:01]\rstep3: 50%|## | 5/10 [..]\n"
    )
    assert (progress_of(Job(place, "prepare", "", (), 0.0)).done) == 5
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 3, "train/loss": 1.0}\n{"step": 7, "trai')
    job = Job(place, "train", "", (), 0.0, {"metrics": str(metrics), "steps": 14, "stage": "s1"})
    assert (progress_of(job).done, progress_of(job).total) == (3, 14)
