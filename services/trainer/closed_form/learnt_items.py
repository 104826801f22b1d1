"""The items in a closed-form head: each is counted once, and any can be removed.

A version keeps the vector of each item beside its sums: the text of retracted feedback is erased,
so only the vector can still be subtracted. They are a cache of embeddings too: a text that the
version has learnt is not embedded again. Vectors belong to the encoder in whose folder they lie.

Shape suffixes: N items, H hidden units.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from archon_contracts.formats import RETRACTED_IDS_FILE
from archon_inference.encoding.learnt_vectors import ESTIMATE, LEARNT_FILE
from services.trainer.closed_form.statistics import (
    ClassStatistics,
    load_statistics,
    save_statistics,
)

MAXIMUM_ITEMS: Final = 20_000
"""Items whose vectors a version keeps: 60 MB of MiniLM's. Older ones stay in the sums alone, where
a retraction can no longer subtract them."""


@dataclass(frozen=True, slots=True)
class LearntItem:
    """One item in the sums; it stays while one of the feedback events behind it does."""

    text: str
    target: str
    weight: float
    vector_H: Tensor
    ids: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What it says: items of equal keys are one."""
        return self.text, self.target


@dataclass(frozen=True, slots=True)
class ClosedFormState:
    """What a closed-form head is fitted to: sums, and the items in them. Every change is a copy."""

    statistics: ClassStatistics
    items: Mapping[tuple[str, str], LearntItem] = field(default_factory=dict)
    denied: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By the digest of a text the answers that were rated wrong, with the feedback behind each."""
    names: Mapping[str, Tensor] = field(default_factory=dict)
    """By label the vector of its name; in no sum, as a label is known by its items."""

    @classmethod
    def empty(cls, hidden: int) -> ClosedFormState:
        """Nothing learnt yet, of vectors with so many units."""
        return cls(ClassStatistics.of(torch.empty(0, hidden), (), ()))

    def vectors(self) -> dict[str, Tensor]:
        """The known vectors by the digest of their text."""
        return {text_of(item.text): item.vector_H for item in self.items.values()}

    def count(self) -> int:
        """Items whose vectors are kept; all estimates of a text are one."""
        return len({text_of(i.text) if is_estimate(i) else i.key for i in self.items.values()})

    def learn(self, items: Sequence[LearntItem]) -> ClosedFormState:
        """These items too. What is known already is not counted again.

        A new answer to the very same text replaces the earlier one, unless it weighs less: data
        preparation gives little weight to what others contradict. Estimates count where nobody
        stated an answer, and the newest of a text replace its earlier ones.
        """
        known, removed = self._without_estimates_of({text_of(item.text) for item in items})
        of_text = defaultdict[str, set[str]](set)
        for text, target in known:
            of_text[text].add(target)
        stated = {item.text for item in items if not is_estimate(item)}
        added = list[LearntItem]()
        for item in items:
            if is_estimate(item) and (of_text[text_of(item.text)] or text_of(item.text) in stated):
                continue
            same = known.pop(item.key, None)
            others = [known[item.text, target] for target in of_text[item.text] - {item.target}]
            replaced = [other for other in others if other.weight <= item.weight]
            for other in replaced:
                del known[other.key]
                of_text[item.text].discard(other.target)
            removed += replaced if same is None else [same, *replaced]
            added.append(item if same is None else _merge(same, item))
            known[item.key] = added[-1]
            of_text[item.text].add(item.target)
        changed = self.statistics.plus(sum_items(added, self.hidden))
        changed = changed.plus(sum_items(removed, self.hidden), sign=-1.0)
        kept = dict(list(known.items())[-MAXIMUM_ITEMS:])
        return replace(self, statistics=changed, items=kept)

    def _without_estimates_of(
        self, texts: AbstractSet[str]
    ) -> tuple[dict[tuple[str, str], LearntItem], list[LearntItem]]:
        """The items that stay, and the estimates of these texts."""
        known = dict(self.items)
        gone = [i for i in known.values() if is_estimate(i) and text_of(i.text) in texts]
        for item in gone:
            del known[item.key]
        return known, gone

    def drop_estimates(self, texts: AbstractSet[str]) -> ClosedFormState:
        """Without what was estimated of the texts of these digests."""
        known, removed = self._without_estimates_of(texts)
        if not removed:
            return self
        without = self.statistics.plus(sum_items(removed, self.hidden), sign=-1.0)
        return replace(self, statistics=without, items=known)

    def deny(self, denials: Mapping[str, Mapping[str, tuple[str, ...]]]) -> ClosedFormState:
        """With these answers excluded too, beside those that were denied of the texts before.

        What was estimated of the texts is dropped: it may be what was denied now.
        """
        denied = dict(self.denied)
        for text, of_text in denials.items():
            merged = dict(denied.pop(text, {}))
            for label, ids in of_text.items():
                merged[label] = tuple(dict.fromkeys((*merged.get(label, ()), *ids)))
            denied[text] = merged
        kept = dict(list(denied.items())[-MAXIMUM_ITEMS:])
        return replace(self.drop_estimates(denials.keys()), denied=kept)

    def unlearn(self, erased: AbstractSet[str]) -> ClosedFormState:
        """Without the items of which all feedback was retracted (exact unlearning).

        Estimates of a text leave with the first denial that is retracted: each had a part in them.
        """
        denied, changed_texts = self._denied_without(erased)
        known, removed = dict[tuple[str, str], LearntItem](), list[LearntItem]()
        for key, item in self.items.items():
            left = tuple(name for name in item.ids if name not in erased)
            is_changed = is_estimate(item) and text_of(item.text) in changed_texts
            if (item.ids and not left) or is_changed:
                removed.append(item)
            else:
                known[key] = item if left == item.ids else replace(item, ids=left)
        statistics = self.statistics
        if removed:
            statistics = statistics.plus(sum_items(removed, self.hidden), sign=-1.0)
        return replace(self, statistics=statistics, items=known, denied=denied)

    def _denied_without(
        self, erased: AbstractSet[str]
    ) -> tuple[dict[str, dict[str, tuple[str, ...]]], set[str]]:
        """What is still denied, and the texts of which less is denied than before."""
        denied, changed = dict[str, dict[str, tuple[str, ...]]](), set[str]()
        for text, of_text in self.denied.items():
            left = {
                label: tuple(name for name in ids if name not in erased)
                for label, ids in of_text.items()
                if not ids or any(name not in erased for name in ids)
            }
            if len(left) < len(of_text):
                changed.add(text)
            if left:
                denied[text] = left
        return denied, changed

    @property
    def hidden(self) -> int:
        """Units of a vector (H)."""
        return int(self.statistics.outer_HH.shape[0])


def read_retracted(dataset: Path) -> frozenset[str]:
    """Ids of feedback that was retracted, as data preparation listed them in a dataset's folder."""
    path = dataset / RETRACTED_IDS_FILE
    return frozenset(path.read_text().split()) if path.is_file() else frozenset()


def estimate_name(digest: str, label: str) -> str:
    """Names a text together with a label that it may have; nobody stated its answer."""
    return f"{digest}{ESTIMATE}{label}"


def is_estimate(item: LearntItem) -> bool:
    """Whether nobody stated the answer: it is one of several that the head found probable."""
    return ESTIMATE in item.text


def text_of(name: str) -> str:
    """The digest of the text that an item or an estimate is of."""
    return name.partition(ESTIMATE)[0]


def save_state(state: ClosedFormState, folder: Path) -> None:
    """Write sums and items beside a model's weights."""
    save_statistics(state.statistics, folder)
    items = list(state.items.values())
    vectors_NH = torch.stack([i.vector_H for i in items]) if items else torch.empty(0, state.hidden)
    weights_N = torch.tensor([item.weight for item in items], dtype=torch.float64)
    named = [[item.text, item.target, list(item.ids)] for item in items]
    labels = sorted(state.names)
    names_LH = [state.names[label] for label in labels]
    tensors = {
        "vectors": vectors_NH.float().contiguous(),
        "weights": weights_N,
        "names": torch.stack(names_LH) if names_LH else torch.empty(0, state.hidden),
    }
    stored = {"learnt": named, "denied": state.denied, "labels": labels}
    # One entry: the library writes several in a random order, and equal states must be equal.
    save_file(tensors, folder / LEARNT_FILE, metadata={"items": json.dumps(stored)})


def load_state(folder: Path) -> ClosedFormState | None:
    """Sums and items of a model folder; None where it has no sums that can be read.

    Versions from before have sums alone: their items are not known one by one.
    """
    statistics = load_statistics(folder)
    if statistics is None:
        return None
    return ClosedFormState(statistics, *_load_items(folder / LEARNT_FILE))


def _load_items(
    path: Path,
) -> tuple[
    dict[tuple[str, str], LearntItem], dict[str, dict[str, tuple[str, ...]]], dict[str, Tensor]
]:
    if not path.is_file():
        return {}, {}, {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            stored = json.loads(metadata["items"])
            vectors_NH, weights_N = file.get_tensor("vectors"), file.get_tensor("weights")
            names = dict(zip(stored["labels"], file.get_tensor("names"), strict=True))
        items = [
            LearntItem(text, target, weight, vector_H, tuple(ids))
            for (text, target, ids), weight, vector_H in zip(
                stored["learnt"], weights_N.tolist(), vectors_NH, strict=True
            )
        ]
        denied = {
            text: {label: tuple(ids) for label, ids in of_text.items()}
            for text, of_text in stored["denied"].items()
        }
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError):
        return {}, {}, {}
    return {item.key: item for item in items}, denied, names


def _merge(before: LearntItem, again: LearntItem) -> LearntItem:
    """One item that was learnt twice: the greater weight, and all feedback behind it."""
    ids = tuple(dict.fromkeys((*before.ids, *again.ids)))
    return replace(before, weight=max(before.weight, again.weight), ids=ids)


def sum_items(items: Sequence[LearntItem], hidden: int) -> ClassStatistics:
    """The statistics of these items, of so many units also where there are none."""
    if not items:
        return ClassStatistics.of(torch.empty(0, hidden), (), ())
    return ClassStatistics.of(
        torch.stack([item.vector_H for item in items]),
        [item.target for item in items],
        [item.weight for item in items],
    )
