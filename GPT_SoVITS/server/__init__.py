"""A talker over HTTP: OpenAI's speech API, GPT-SoVITS's api_v2, dialogues. See docs/server.md."""
