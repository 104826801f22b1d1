"""Working folders of the trainer."""

from pathlib import Path

from archon_contracts.identifiers import new_id
from services.trainer.checkpoints.folders import WorkFolders
from tests.support.registry import artifact
from tests.support.training.trainer import train

COMMAND = train(artifact("dataset"))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_leases_of_an_attempt_share_their_checkpoints_alone(tmp_path: Path) -> None:
    folders = WorkFolders(tmp_path)

    first = await folders.make(COMMAND, new_id())
    second = await folders.make(COMMAND, new_id())

    assert first[0] == second[0]
    assert first[1] != second[1]


async def test_attempts_do_not_share_checkpoints(tmp_path: Path) -> None:
    folders = WorkFolders(tmp_path)

    first, _ = await folders.make(COMMAND, new_id())
    second, _ = await folders.make(COMMAND.model_copy(update={"attempt": 2}), new_id())

    assert first != second


async def test_only_folders_of_jobs_that_are_over_are_removed(tmp_path: Path) -> None:
    folders = WorkFolders(tmp_path)
    still_open = train(artifact("dataset"))
    for command in (COMMAND, still_open):
        await folders.make(command, new_id())
    (tmp_path / "not-ours").mkdir()

    assert await folders.remove_all_but({still_open.job_id}) == 1
    assert names_in(tmp_path) == {str(still_open.job_id), "not-ours"}


async def test_a_folder_that_is_not_there_yet_needs_no_clean_up(tmp_path: Path) -> None:
    assert await WorkFolders(tmp_path / "missing").remove_all_but(set()) == 0
