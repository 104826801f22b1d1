"""A causal language model in memory, the adapters beside it, and how it decodes."""
