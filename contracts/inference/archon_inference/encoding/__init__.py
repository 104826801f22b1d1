"""How texts go through an encoder."""
