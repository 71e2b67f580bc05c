"""Weights on disk: what comes back, what does not fit, and a digest of every bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from limbeck.core import RunError, UsageError
from limbeck.core.weights import fingerprint, load_weights, read_weights, save_weights


def network(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def test_weights_and_what_they_belong_to_come_back(tmp_path: Path) -> None:
    state = network().state_dict() | {
        "view": torch.arange(12.0).view(3, 4).T,
        "half": torch.ones(2, dtype=torch.bfloat16),
    }
    state["shared"] = state["view"]
    about = {"classes": ["ä", "b"], "scale": 0.5, "nothing": None}
    save_weights(tmp_path / "w.safetensors", state, about)
    found, said = read_weights(tmp_path / "w.safetensors")
    assert said == about and found.keys() == state.keys()
    assert all(found[name].equal(state[name]) and found[name].dtype == state[name].dtype for name in state)


def test_a_file_from_elsewhere_says_nothing(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.safetensors")[1] == {}


def test_pickles_and_damaged_files_are_refused(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "w.pt")
    save_weights(tmp_path / "whole.safetensors", network().state_dict(), {})
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-9])
    (tmp_path / "empty.safetensors").touch()
    for name in ("w.pt", "cut.safetensors", "empty.safetensors"):
        with pytest.raises(UsageError, match=f"{name} is not a whole safetensors file"):
            read_weights(tmp_path / name)
    with pytest.raises(UsageError, match="There is no file of weights"):
        read_weights(tmp_path / "absent.safetensors")


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"x": torch.ones(1)}, {})

    def full(self: Path, content: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match="disk is full"):
        save_weights(path, {"x": torch.zeros(1)}, {})
    assert read_weights(path)[0]["x"].item() == 1 and len(list(tmp_path.iterdir())) == 1


def test_weights_are_loaded_whole() -> None:
    first, second = network(), network()
    load_weights(second, first.state_dict(), "first")
    assert second.state_dict()["0.weight"].equal(first.state_dict()["0.weight"])


def test_what_does_not_fit_is_told_at_once() -> None:
    state = network(5).state_dict() | {"9.weight": torch.ones(1), "8.weight": torch.ones(1)}
    del state["2.bias"]
    with pytest.raises(UsageError) as caught:
        load_weights(network(4), state, "row 'alone'")
    for said in (
        "weights of row 'alone' do not fit Sequential",
        "lacks '2.bias' (1 in all)",
        "has '8.weight' besides (2 in all)",
        "'0.bias' is [5] there and [4] here",
    ):
        assert said in str(caught.value)


def test_every_bit_changes_the_fingerprint() -> None:
    tensor = torch.arange(6.0)
    same = fingerprint(tensor, "text", {"a": tensor, "b": tensor})
    assert len(same) == 32 and same == fingerprint(tensor.clone(), "text", {"b": tensor, "a": tensor})
    nudged = tensor.clone()
    nudged[3] = torch.nextafter(nudged[3], torch.tensor(9.0))
    others = [
        fingerprint(nudged, "text", {"a": tensor, "b": tensor}),
        fingerprint(tensor, "texu", {"a": tensor, "b": tensor}),
        fingerprint(tensor, "text", {"a": tensor, "b": nudged}),
        fingerprint(tensor, "text", {"a": tensor, "c": tensor}),
        fingerprint(tensor, "text", {"a": tensor}),
        fingerprint(tensor.view(2, 3), "text", {"a": tensor, "b": tensor}),
        fingerprint(tensor.double(), "text", {"a": tensor, "b": tensor}),
        fingerprint(tensor.to(torch.bfloat16), "text", {"a": tensor, "b": tensor}),
    ]
    assert len({same, *others}) == 9


def test_a_fingerprint_sees_values_and_not_their_place_in_memory() -> None:
    columns = torch.arange(6.0).view(2, 3)
    assert fingerprint(columns.T.contiguous().T) == fingerprint(columns)
    assert fingerprint(torch.zeros(0, 3)) != fingerprint(torch.zeros(3, 0))
    assert fingerprint(torch.tensor(1.0)) != fingerprint(torch.tensor([1.0]))


def test_texts_do_not_run_into_each_other() -> None:
    assert len({fingerprint("a", "b"), fingerprint("a\x00b"), fingerprint("ab"), fingerprint("ab", "")}) == 4
