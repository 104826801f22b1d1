"""Query files are read once a process."""

from shared.postgres.queries import load_queries


def test_a_query_file_is_read_once_however_many_ask() -> None:
    assert load_queries("shared") is load_queries("shared")
    assert load_queries("shared") is not load_queries("services.registry")
