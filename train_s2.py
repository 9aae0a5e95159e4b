"""Train the VITS: `python train_s2.py --config configs/s2/demo.yaml [--section.key value …]`."""

from GPT_SoVITS.training.command import run
from GPT_SoVITS.training.train_s2 import main

if __name__ == "__main__":
    raise SystemExit(run(main))
