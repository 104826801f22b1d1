"""The synchronous client, written from the asynchronous one by `python -m tests.reference`."""
