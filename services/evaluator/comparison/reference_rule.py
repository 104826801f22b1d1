"""What a candidate must show on the protected reference set to be deployed by itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from archon_contracts.events import PairedComparison


@dataclass(frozen=True, slots=True)
class NoReferenceLoss:
    """Nothing may be lost on the reference set, and it must be large enough to show a loss.

    Whoever fills a window also fills its test part; the reference set is beyond their reach.
    """

    maximum_loss: float
    minimum_items: int

    def find_review_reasons(self, reference: PairedComparison | None) -> tuple[str, ...]:
        """Why a person must decide; nothing where the candidate may be deployed by itself."""
        items = reference.difference.n if reference else 0
        if items < self.minimum_items:
            return (
                f"there are {items} protected reference items and {self.minimum_items} are "
                "required, so the test rests on the feedback of the window itself; configure "
                "evaluation_dataset, or check this version and deploy it yourself",
            )
        # No item is required: a suite or a dataset that a person provided tests the candidate.
        if reference is None:
            return ()
        change = reference.difference
        if change.high < 0:
            return (
                f"it loses {-change.value:.1%} of {items} protected reference items, "
                f"significantly (at least {-change.high:.1%})",
            )
        if -change.value > self.maximum_loss:
            return (
                f"it loses {-change.value:.1%} of {items} protected reference items, "
                f"more than the {self.maximum_loss:.1%} allowed",
            )
        return ()
