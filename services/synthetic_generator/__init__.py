"""The synthetic generator: labelled training items made from templates and real examples."""
