"""What the text frontend refuses, in the user's words."""


class TextError(ValueError):
    """The text cannot be spoken: empty, nothing readable in it, an unknown tag or language."""
