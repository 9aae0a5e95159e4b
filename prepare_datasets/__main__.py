"""All five steps: `python -m prepare_datasets --config configs/data/demo.yaml`."""

from prepare_datasets.command import main

if __name__ == "__main__":
    main()
