"""Train the semantic GPT: `python train_s1.py --config configs/s1/demo.yaml [--section.key value …]`."""

from GPT_SoVITS.training.train_s1 import main

if __name__ == "__main__":
    main()
