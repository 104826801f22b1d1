"""Transfer: a model begins as another agent's version or a base model, and is measured."""
