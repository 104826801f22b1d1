from pathlib import Path

import pytest

from archon_inference.generation.causal_model import load_causal_model
from archon_inference.generation.decoding import complete, pad_left, tokenize_prompt
from tests.support.training.tiny_models import tiny_causal_model

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal_model(tmp_path_factory.mktemp("base"))


def test_of_a_text_that_is_too_long_the_end_is_left_out_and_never_the_template(
    folder: Path,
) -> None:
    _, tokenizer = load_causal_model(folder)
    tokenizer.chat_template = TEMPLATE

    ids = tokenize_prompt(tokenizer, "weather in oslo " * 20, 8)

    assert tokenizer.decode(ids) == "<s> weather in oslo weather in </s> <s>"


def test_a_text_that_fits_is_not_changed(folder: Path) -> None:
    _, tokenizer = load_causal_model(folder)

    assert tokenize_prompt(tokenizer, "rain in oslo", 3) == tokenize_prompt(
        tokenizer, "rain in oslo"
    )


def test_padding_stands_before_the_prompts() -> None:
    ids_BT, mask_BT = pad_left([[5, 6, 7], [8]], 0)

    assert ids_BT.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask_BT.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_sampling_that_the_base_models_authors_set_is_not_used(folder: Path) -> None:
    model, tokenizer = load_causal_model(folder)

    assert model.generation_config.to_diff_dict().keys() <= {
        "eos_token_id", "pad_token_id", "bos_token_id", "transformers_version"
    }  # fmt: skip
    prompts = [tokenize_prompt(tokenizer, text) for text in ("rain", "play my song")]
    first, second = (
        complete(model, tokenizer, prompts, max_new_tokens=3, stop_at_line_end=False)
        for _ in range(2)
    )
    assert first == second
