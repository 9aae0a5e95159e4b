"""Long recordings -> dialogue folders, as NCSSD was collected.

    python -m prepare_datasets.raw_recordings --raw DIR --output DIR

    film.mkv ─ extract ─ voice activity ─ scenes ─ separation ─ turns ─ transcripts ─ folders
               16 kHz    where is speech  4 s gap  (optional)   who     what          NCSSD's

Each stage is a small interface (stages.py) with a default that needs no model, and adapters to the
usual engines, loaded only when asked and only from local paths.
"""
