"""What the report says of the start of a transfer."""

from services.coordinator.jobs.learning import describe_transfer


def test_each_other_start_is_named_with_what_was_measured() -> None:
    metrics = {
        "transfer/validation_items": 40.0,
        "transfer/accuracy": 0.8,
        "transfer/from_base_accuracy": 0.75,
        "transfer/from_base_p_value": 0.3,
        "transfer/zero_shot_accuracy": 0.5,
        "transfer/zero_shot_p_value": 0.001,
    }

    assert describe_transfer(metrics) == (
        "transfer: right in 80.0% of 40 validation items; not shown to be better than the same "
        "training from the base model (75.0%, p = 0.3), better than no training (50.0%, p = 0.001)",
    )


def test_without_a_comparison_there_is_no_sentence() -> None:
    assert describe_transfer({"train/loss": 1.0}) == ()
