"""The asynchronous client. The synchronous one is written from it: edit this one."""
