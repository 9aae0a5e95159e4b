"""Speak the agent's next turn of a dialogue.

python inference.py --model runs/demo/talker --dialogue dialogue.json --output reply.wav --seed 0
"""

from GPT_SoVITS.inference.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
