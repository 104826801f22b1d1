"""What an answer of an encoder rests on."""
