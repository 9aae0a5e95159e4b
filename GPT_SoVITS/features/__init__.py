"""Features of speech and text: log-mel content features, HuBERT, BERT, speaker vectors."""
