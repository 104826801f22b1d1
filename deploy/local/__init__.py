"""The whole system on one machine, with nothing installed beforehand but Python.

`Runtime` starts PostgreSQL, a Kafka-protocol broker and every service as child processes, watches
them, and leaves none behind. `EmbeddedServers` is the database and the broker alone.
"""
