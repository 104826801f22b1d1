"""The agent serves what its digest and its maker's signature say, or goes on with what it has."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archon_contracts.events import AgentConfiguration
from archon_contracts.formats import CATALOGUE_FILE
from archon_contracts.values import AgentKind, AllowedAnswers, ArtifactRef, ModelRef
from archon_inference import InferenceError, read_card
from deploy.serving.hot_swap_model import HotSwapModel
from shared.artifacts.signing import Signer
from shared.artifacts.store import ArtifactStore
from tests.support.served_answers import ask, compared
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import run_spec

SIGNER = Signer("11" * 32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small classifier."""
    from services.trainer.child import run

    root = tmp_path_factory.mktemp("trained")
    spec = run_spec(root, tiny_encoder(root / "base"), kind="classifier", max_steps=1)
    return Path(run(spec, lambda event: None)["model_dir"])


def configuration(artifact: ArtifactRef, revision: int = 1) -> AgentConfiguration:
    return AgentConfiguration(
        agent_id="picker",
        kind=AgentKind.CLASSIFIER,
        model=ModelRef(version=f"1.{revision}.0", artifact=artifact),
        revision=revision,
        reason="test",
        effective_at=datetime.now(UTC),
    )


async def test_an_untouched_model_of_a_trusted_maker_serves(trained: Path, tmp_path: Path) -> None:
    artifact = await ArtifactStore(tmp_path.as_uri(), signer=SIGNER).publish(trained)
    model = HotSwapModel([SIGNER.public_key])

    assert await model.adopt(configuration(artifact))
    answer, serving = await ask(model, "play a song")

    assert (answer != "", serving.digest) == (True, artifact.digest)
    model.close()


@pytest.mark.parametrize("name", ["model.safetensors", "archon.json", "head.safetensors"])
async def test_a_changed_model_is_refused_and_the_former_one_serves_on(
    trained: Path, tmp_path: Path, name: str
) -> None:
    good = await ArtifactStore((tmp_path / "a").as_uri(), signer=SIGNER).publish(trained)
    bad = await ArtifactStore((tmp_path / "b").as_uri(), signer=SIGNER).publish(trained)
    path = Path(bad.uri.removeprefix("file://")) / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    model = HotSwapModel([SIGNER.public_key])
    await model.adopt(configuration(good))

    with pytest.raises(InferenceError, match="was changed"):
        await model.adopt(configuration(bad, revision=2))

    assert (await ask(model, "play a song"))[1].revision == 1
    model.close()


async def test_an_unsigned_model_is_refused_where_keys_are_trusted(
    trained: Path, tmp_path: Path
) -> None:
    artifact = await ArtifactStore(tmp_path.as_uri()).publish(trained)
    model = HotSwapModel([SIGNER.public_key])

    with pytest.raises(InferenceError, match="not signed"):
        await model.adopt(configuration(artifact))
    model.close()


async def test_a_label_taken_from_the_agent_is_never_answered_again(
    trained: Path, tmp_path: Path
) -> None:
    artifact = await ArtifactStore(tmp_path.as_uri(), signer=SIGNER).publish(trained)
    model = HotSwapModel([SIGNER.public_key])
    await model.adopt(configuration(artifact))
    withdrawn, _ = await ask(model, "play a song")
    labels = tuple(set(read_card(trained).labels) - {withdrawn})

    allowed = AllowedAnswers(labels=labels)
    await model.adopt(
        configuration(artifact, revision=2).model_copy(update={"allowed_answers": allowed})
    )

    assert (await ask(model, "play a song"))[0] in labels
    model.close()


async def test_a_tool_taken_from_the_catalogue_is_not_allowed(
    trained: Path, tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path.as_uri(), signer=SIGNER)
    catalogue = b'[{"name": "none of the labels", "description": "a tool"}]'
    allowed = AllowedAnswers(catalogue=await store.publish_files({CATALOGUE_FILE: catalogue}))
    model = HotSwapModel([SIGNER.public_key])

    await model.adopt(
        configuration(await store.publish(trained)).model_copy(update={"allowed_answers": allowed})
    )

    assert (await ask(model, "play a song"))[0] == ""
    model.close()


async def test_a_candidate_that_cannot_be_loaded_leaves_its_traffic_to_the_deployed_version(
    trained: Path, tmp_path: Path
) -> None:
    good = await ArtifactStore((tmp_path / "a").as_uri(), signer=SIGNER).publish(trained)
    model = HotSwapModel([SIGNER.public_key])
    experiment = compared("ab_test", 0.999999)  # its candidate has no files
    asked = configuration(good, revision=2).model_copy(update={"experiment": experiment})

    assert await model.adopt(asked)

    serving = await model.models()
    assigned = serving.configuration.assign(unit_id="u")
    assert assigned.model.version == "1.1.0"
    assert serving.find(assigned.model).digest == good.digest
    assert serving.find_shadow(experiment.treatment) is None
    model.close()


async def test_two_arms_are_in_memory_and_the_removed_one_is_not(
    trained: Path, tmp_path: Path
) -> None:
    store = ArtifactStore((tmp_path / "a").as_uri(), signer=SIGNER)
    first = await store.publish(trained)
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "notes.txt").write_text("other bytes, so another digest")
    second = await store.publish(copy)
    candidate = ModelRef(version="1.9.0", artifact=second)
    experiment = compared("canary", 0.5).model_copy(
        update={"control": configuration(first).model, "treatment": candidate}
    )
    model = HotSwapModel([SIGNER.public_key])

    await model.adopt(configuration(first).model_copy(update={"experiment": experiment}))
    with_candidate = await model.models()
    await model.adopt(configuration(first, revision=2))

    assert set(with_candidate.by_digest) == {first.digest, second.digest}
    assert with_candidate.find(candidate).version == "1.9.0"
    assert set((await model.models()).by_digest) == {first.digest}
    # A request that was assigned before the removal is still answered.
    removed = with_candidate.find(candidate).predictor
    assert (await model.batcher.predict(removed, "play a song")).output
    model.close()
