"""The demo: the whole loop run once, on a public benchmark's data and a pretrained model.

`agent.py` is a program of its own, written as any agent's developer would write it: copy it.
"""
