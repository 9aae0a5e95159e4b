"""Train the semantic GPT: `python train_s1.py --config configs/s1/demo.yaml [--run.seed 1 …]`."""

from GPT_SoVITS.training.command import run
from GPT_SoVITS.training.train_s1 import main

if __name__ == "__main__":
    raise SystemExit(run(main))
