"""The demo: the whole loop told once, on a public benchmark's data and a pretrained model.

`agent.py` is a program of its own, written as any agent's developer would write it: copy it.
"""
