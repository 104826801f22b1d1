"""Data preparation: sources become a clean, versioned dataset with a quality report."""
