"""The balance of the client log finds what it is there to find."""

from pathlib import Path

from tests.faults.accounting.client_log import ClientLog, balance, failure_bound, read_client_log


def _client_log(path: Path) -> tuple[set[str], set[str]]:
    client_log = ClientLog(path / "client_log.txt")
    for event_id in "abcd":
        client_log.intend(event_id)
    for event_id in "abc":
        client_log.acknowledge(event_id)
    client_log.close()
    return read_client_log(path / "client_log.txt")


def test_an_exact_outcome_is_balanced(tmp_path: Path) -> None:
    account = balance(_client_log(tmp_path), stored="ab", used="ab", quarantined="c")
    assert account.balanced
    assert str(account).startswith("3 sent / 2 stored / 2 effects / 1 quarantined / 0 lost")


def test_an_unacknowledged_event_may_arrive(tmp_path: Path) -> None:
    assert balance(_client_log(tmp_path), stored="abcd", used="", quarantined="").balanced


def test_a_lost_event_is_seen(tmp_path: Path) -> None:
    assert balance(_client_log(tmp_path), stored="ab", used="", quarantined="").lost == 1


def test_a_double_effect_is_seen(tmp_path: Path) -> None:
    assert balance(_client_log(tmp_path), stored="abc", used="aab", quarantined="").double == 1


def test_what_is_stored_and_set_aside_is_double(tmp_path: Path) -> None:
    assert balance(_client_log(tmp_path), stored="abc", used="", quarantined="c").double == 1


def test_an_event_that_is_set_aside_twice_is_double(tmp_path: Path) -> None:
    account = balance(_client_log(tmp_path), stored="ab", used="", quarantined="cc")

    assert (account.quarantined, account.double) == (1, 1)


def test_an_event_from_nowhere_is_seen(tmp_path: Path) -> None:
    assert balance(_client_log(tmp_path), stored="abcx", used="", quarantined="").unknown == 1


def test_no_failure_in_three_hundred_bounds_the_rate_at_one_percent() -> None:
    assert failure_bound(300) == 0.01
