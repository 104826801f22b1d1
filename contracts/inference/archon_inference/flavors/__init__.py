"""Models as other tools load them."""
