"""Which methods a request is carried out by: those asked for that can run, or the usual one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archon_contracts.commands import EdgeCaseFamily, SynthesisMethod
from services.synthetic_generator.domain import GenerationRequest, RejectionReason, Sample
from services.synthetic_generator.generators.deployed_attack import DeployedAttack
from services.synthetic_generator.generators.edge_cases import (
    WITHOUT_ANSWER,
    EdgeCases,
    find_abstaining,
)
from services.synthetic_generator.generators.grammar import Grammar, OutOfScope
from services.synthetic_generator.generators.grammars import find_domain
from services.synthetic_generator.generators.llm import LanguageModelWriter, group_by_target
from services.synthetic_generator.generators.ports import (
    LanguageModel,
    SampleGenerator,
    SynthesisStrategy,
)
from services.synthetic_generator.generators.sample_generators import (
    EachDraw,
    ExampleGenerator,
    GrammarGenerator,
)
from services.synthetic_generator.quality.diversity import WordPairNovelty, count_alternatives

if TYPE_CHECKING:
    from archon_inference.ports import Predictor


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationResources:
    """What a generation may use beside its request and examples."""

    endpoint: LanguageModel | None = None
    predictor: Predictor | None = None
    answers: Collection[str] = ()
    """Answers that the deployed model can give."""
    held_out: Sequence[str] = ()
    """Inputs of the evaluation suite."""
    domains: Path | None = None
    """Folder with domain files."""
    omissions: tuple[str, ...] = ()
    """Why something that was asked for is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSelection:
    """The strategies that take turns, and what else follows from their source."""

    strategies: Sequence[SynthesisStrategy]
    targets: Sequence[str] = ()
    """Answers that items are made of, in turns."""
    abstaining: str | None = None
    edge_cases: SynthesisStrategy | None = None
    is_english: bool = True
    novelty: WordPairNovelty = field(default_factory=WordPairNovelty)
    """Gets every accepted item, so that strategies can choose what is new beside them."""
    obstacle: RejectionReason = RejectionReason.NO_SOURCE
    """Why there is no strategy, if there is none."""
    omissions: tuple[str, ...] = ()

    @property
    def known_targets(self) -> frozenset[str]:
        """All answers that an item may have."""
        return frozenset(self.targets) | ({self.abstaining} if self.abstaining else set())


@dataclass(slots=True)
class _Sources:
    """Where samples come from, and what is missing."""

    examples: ExampleGenerator | None
    domain: SampleGenerator | None
    out_of_scope: OutOfScope | None
    novelty: WordPairNovelty = field(default_factory=WordPairNovelty)
    obstacles: list[tuple[SynthesisMethod, RejectionReason]] = field(default_factory=list)


def select_methods(
    request: GenerationRequest, examples: Sequence[Sample], resources: GenerationResources
) -> MethodSelection:
    """The strategies for a request; a method that cannot run is left out and noted.

    Without `methods` the examples are varied, or else the domain's sentences are made.

    Raises:
        DomainInvalid: the domain's file or package is not right.
    """
    sources = _find_sources(request, examples, resources)
    asked = request.methods or (
        (SynthesisMethod.MUTATION,) if examples else (SynthesisMethod.TEMPLATE,)
    )
    generator = sources.examples or sources.domain
    strategies: list[SynthesisStrategy] = []
    for method in dict.fromkeys(asked):
        built = _build(method, request, examples, sources, resources)
        if isinstance(built, RejectionReason):
            sources.obstacles.append((method, built))
        else:
            strategies.append(built)
    omissions = tuple(f"{method}: {reason}" for method, reason in sources.obstacles)
    if not strategies or generator is None:
        obstacle = sources.obstacles[0][1] if sources.obstacles else RejectionReason.NO_SOURCE
        return MethodSelection(strategies=(), obstacle=obstacle, omissions=omissions)
    abstaining = sources.out_of_scope
    families, left_out = _choose_families(
        request, abstaining, {*generator.targets, *resources.answers}
    )
    return MethodSelection(
        strategies=strategies,
        targets=generator.targets,
        abstaining=abstaining.target if abstaining and families else None,
        edge_cases=EdgeCases(generator, families, abstaining) if families else None,
        is_english=generator.is_english,
        novelty=sources.novelty,
        omissions=(*resources.omissions, *omissions, *left_out),
    )


def _choose_families(
    request: GenerationRequest, abstaining: OutOfScope | None, answers: Collection[str]
) -> tuple[tuple[EdgeCaseFamily, ...], tuple[str, ...]]:
    """The families to make, and why some of them are not.

    Unless they are named, those whose answer is to abstain are for agents that have such an answer:
    of others no item of them could be learnt.
    """
    families = request.edge_case_families
    if request.families or not families or (abstaining and abstaining.target in answers):
        return families, ()
    kept = tuple(each for each in families if each not in WITHOUT_ANSWER)
    names = ", ".join(sorted(WITHOUT_ANSWER))
    return kept, (f"{names}: the agent has no answer for it; name the families to have them",)


def _find_sources(
    request: GenerationRequest, examples: Sequence[Sample], resources: GenerationResources
) -> _Sources:
    found = find_domain(request.scenario_type, resources.domains)
    out_of_scope = find_abstaining(examples)
    if isinstance(found, Grammar):
        if not examples:
            out_of_scope = found.out_of_scope
        domain: SampleGenerator | None = GrammarGenerator(found, request.diversity)
    else:
        domain = found
    return _Sources(ExampleGenerator(examples) if examples else None, domain, out_of_scope)


def _build(
    method: SynthesisMethod,
    request: GenerationRequest,
    examples: Sequence[Sample],
    sources: _Sources,
    resources: GenerationResources,
) -> SynthesisStrategy | RejectionReason:
    source = sources.examples or sources.domain
    if source is None:
        return RejectionReason.NO_SOURCE
    how = (request.difficulty, sources.novelty, count_alternatives(request.diversity))
    match method:
        case SynthesisMethod.TEMPLATE:
            if sources.domain is None:
                return RejectionReason.NO_SOURCE
            return EachDraw(sources.domain, *how)
        case SynthesisMethod.MUTATION:
            if sources.examples is None:
                return RejectionReason.NO_SOURCE
            return EachDraw(sources.examples, *how)
        case SynthesisMethod.LLM:
            if resources.endpoint is None:
                return RejectionReason.NO_ENDPOINT
            known = group_by_target(examples)
            return LanguageModelWriter(
                resources.endpoint, request.scenario_type, known, request.difficulty
            )
        case SynthesisMethod.ADVERSARIAL:
            if resources.predictor is None:
                return RejectionReason.NO_DEPLOYED_MODEL
            return DeployedAttack(source, resources.predictor)
