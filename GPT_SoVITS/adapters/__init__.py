"""Small additions to a base model: LoRA matrices, new symbol rows, their files, their merging."""
