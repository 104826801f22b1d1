"""Production traffic: the same for a seed, each request once."""

from deploy.demo.traffic import make_requests

ITEMS = [(f"question {n}", f"tool {n}") for n in range(100)]


def test_every_item_is_asked_once_and_has_an_id_of_its_own() -> None:
    busy, later = make_requests(ITEMS, seed=1)

    assert sorted(request.input for request in busy + later) == sorted(text for text, _ in ITEMS)
    assert len({request.request_id for request in busy + later}) == len(ITEMS)


def test_a_correction_is_the_right_answer_of_its_request() -> None:
    busy, _ = make_requests(ITEMS, seed=1)

    right = dict(ITEMS)
    assert all(r.correction in (None, right[r.input]) for r in busy)
    assert sum(r.correction is not None for r in busy) == 72


def test_later_requests_are_not_assessed() -> None:
    _, later = make_requests(ITEMS, seed=1)

    assert len(later) == 10
    assert all(request.correction is None for request in later)


def test_the_seed_alone_decides_the_order() -> None:
    assert make_requests(ITEMS, seed=1) == make_requests(ITEMS, seed=1)
    assert make_requests(ITEMS, seed=1) != make_requests(ITEMS, seed=2)
