"""The HTTP door: feedback in, commands in, everything readable out."""
