"""What changed between two versions of a dataset. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from archon_contracts.formats import Split
from services.gateway.dataset_versions.views import ChangedItemView, DatasetChangesView
from services.gateway.domain import PreparedDatasetView

LISTED_TARGETS: Final = 50
LISTED_EXAMPLES: Final = 100
QUOTED_CHARACTERS: Final = 200
PartLines = Mapping[Split, bytes]
"""The files of a dataset's parts."""


class _Place(NamedTuple):
    """Where an input stands, and with which target."""

    part: str
    target: str
    text: str


def compare_versions(
    version: PreparedDatasetView, parts: PartLines, before: PreparedDatasetView, old: PartLines
) -> DatasetChangesView:
    """The changes of a version against an earlier one."""
    places, known = _read_places(parts), _read_places(old)
    shared = places.keys() & known.keys()
    changed = [
        ChangedItemView(
            text=places[key].text,
            target_before=known[key].target,
            target=places[key].target,
            part_before=known[key].part,
            part=places[key].part,
        )
        for key in sorted(shared)
        if places[key][:2] != known[key][:2]
    ]
    return DatasetChangesView(
        agent_id=version.agent_id,
        dataset_version=version.dataset_version,
        since=before.dataset_version,
        items=len(places),
        items_before=len(known),
        added=len(places) - len(shared),
        removed=len(known) - len(shared),
        relabelled=sum(each.target != each.target_before for each in changed),
        moved=sum(each.part != each.part_before for each in changed),
        added_by_target=_count_targets(places[key] for key in places.keys() - shared),
        removed_by_target=_count_targets(known[key] for key in known.keys() - shared),
        examples=changed[:LISTED_EXAMPLES],
    )


def _read_places(parts: PartLines) -> dict[bytes, _Place]:
    """By a hash of the input: two versions' inputs in full would be many times the files."""
    places: dict[bytes, _Place] = {}
    for part, content in parts.items():
        for line in content.splitlines():
            item = orjson.loads(line)
            text = item["input"]
            key = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
            places[key] = _Place(part, item.get("target", ""), text[:QUOTED_CHARACTERS])
    return places


def _count_targets(places: Iterable[_Place]) -> dict[str, int]:
    counts = Counter(place.target[:QUOTED_CHARACTERS] for place in places)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return dict(ranked[:LISTED_TARGETS])
