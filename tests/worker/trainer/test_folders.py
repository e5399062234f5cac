"""Facts about the folders of trainings: only that of the open training stays."""

import pytest

from model.training.options import TrainingOptions
from worker.contract.training import Trainings, TrainingState
from worker.trainer.folders import remove_ended, training_folder


@pytest.fixture
def trainings(client):
    """The records of trainings. There are none yet."""
    return Trainings(client)


@pytest.fixture
def make(tmp_path):
    """Make the folder of a training, with a checkpoint in it."""

    def made(identifier):
        file = training_folder(tmp_path, identifier) / "candidate" / "training" / "network.safetensors"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"state")
        return file

    return made


@pytest.mark.parametrize("state", [TrainingState.DONE, TrainingState.REFUSED, TrainingState.FAILED])
def test_the_folder_of_the_open_training_stays_until_it_ends(trainings, make, tmp_path, state):
    """It stays while the training waits, runs, and waits again after its trainer has died or has given it back."""
    remove_ended(tmp_path, trainings)  # there is nothing yet
    old, checkpoint = make("old"), make("open")
    trainings.ask("open", TrainingOptions(), who="me")
    remove_ended(tmp_path, trainings)
    assert not old.exists()
    claim = trainings.claim(holder="one", lease_seconds=30)
    remove_ended(tmp_path, trainings)
    trainings.release(claim)
    remove_ended(tmp_path, trainings)
    claim = trainings.claim(holder="two", lease_seconds=30)
    assert checkpoint.read_bytes() == b"state"
    trainings.finish(claim, state)
    remove_ended(tmp_path, trainings)
    assert list((tmp_path / "training").iterdir()) == []


def test_the_folder_of_a_training_that_was_cancelled_without_a_trainer_goes(trainings, make, tmp_path):
    """Its trainer died, and no trainer hears of the end."""
    make("a")
    trainings.ask("a", TrainingOptions(), who="me")
    trainings.cancel()
    remove_ended(tmp_path, trainings)
    assert list((tmp_path / "training").iterdir()) == []


def test_what_no_trainer_made_stays(trainings, make, tmp_path):
    """A link is not followed."""
    kept = tmp_path / "kept"
    kept.mkdir()
    make("a")
    (tmp_path / "training" / "link").symlink_to(kept)
    (tmp_path / "training" / "notes.txt").write_text("mine")
    remove_ended(tmp_path, trainings)
    assert sorted(path.name for path in (tmp_path / "training").iterdir()) == ["link", "notes.txt"]
    assert kept.is_dir()
