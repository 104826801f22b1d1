"""What a generation betrays of its examples, shown by one that is made for the purpose."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from archon_contracts.commands import SynthesisMethod
from archon_contracts.events import PrivacyFigures
from services.synthetic_generator.domain import GenerationRequest, Sample
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.selection import GenerationResources
from services.synthetic_generator.quality.embedding import cosines, embed_by_signs

FEWEST_EXAMPLES: Final = 20
MOST_EXAMPLES: Final = 1_000
AUDITED_ITEMS: Final = 200
CANARIES: Final = 5
_CANARY: Final = "{text} The reference is {secret}."


def audit(
    request: GenerationRequest,
    examples: Sequence[Sample],
    resources: GenerationResources,
    figures: PrivacyFigures,
    *,
    until: float = math.inf,
) -> PrivacyFigures:
    """The figures with canaries and membership inference; unchanged with too few examples, and
    where the monotonic clock is past `until`: items that are made must not be lost to the audit.

    Half of the examples and a few canaries, each with a number that only it has, are varied as the
    request says. The attack recognises an example that was used by its nearest item's distance; its
    area under the ROC curve (Yeom et al., "Privacy risk in machine learning", 2018) is 0.5 where
    it knows nothing. A language model is not asked: it would be paid for twice.
    """
    if len(examples) < FEWEST_EXAMPLES or time.monotonic() > until:
        return figures
    rng = random.Random(f"{request.seed}/audit")
    shuffled = rng.sample(list(examples), k=min(len(examples), MOST_EXAMPLES))
    half = len(shuffled) // 2
    used, unused = shuffled[:half], shuffled[half:]
    secrets = [str(rng.randrange(10**7, 10**8)) for _ in range(CANARIES)]
    canaries = [
        Sample(_CANARY.format(text=base.input, secret=secret), base.target)
        for base, secret in zip(rng.choices(used, k=CANARIES), secrets, strict=True)
    ]
    methods = tuple(each for each in request.methods if each is not SynthesisMethod.LLM)
    audited = replace(
        request,
        count=min(request.count, AUDITED_ITEMS),
        edge_cases=False,
        families=(),
        methods=methods or (SynthesisMethod.MUTATION,),
    )
    generated = generate(
        audited,
        [*used, *canaries],
        resources,
        on_round=lambda _state: time.monotonic() > until,
    )
    made = [candidate.sample.input for candidate in generated.accepted]
    if not made:
        return figures.model_copy(update={"canaries": CANARIES})
    return figures.model_copy(
        update={
            "canaries": CANARIES,
            "leaked_canaries": sum(any(secret in text for text in made) for secret in secrets),
            "membership_auc": _attack(made, used, unused),
        }
    )


def _attack(made: Sequence[str], used: Sequence[Sample], unused: Sequence[Sample]) -> float:
    from sklearn.metrics import roc_auc_score

    everyone = [*used, *unused]
    vectors = embed_by_signs([each.input for each in everyone])
    nearest = cosines(vectors, embed_by_signs(made)).max(axis=1)
    members = [True] * len(used) + [False] * len(unused)
    return float(roc_auc_score(members, nearest))
