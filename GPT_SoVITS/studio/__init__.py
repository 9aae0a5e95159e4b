"""The studio: the whole work in the browser. No model code; see docs/studio.md."""
