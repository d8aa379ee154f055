"""Model packs: written whole or not at all, and refused when a byte differs."""

import json
from pathlib import Path

import pytest
import torch

from gliomaai_training.inference.model_pack import (
    CARD,
    MANIFEST,
    METADATA,
    WEIGHTS,
    ModelPack,
    ModelPackError,
    load_model_pack,
    sha256_of,
    write_model_pack,
)

DATA = {"name": "tiny", "version": "1.2.3", "gliomaai": {"task": "segmentation"}}
STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3).T, "steps": torch.tensor(7)}
FILES = {CARD: b"# A card\n", "LICENSE": b"Apache-2.0\n"}


METADATA_DAMAGE = [
    b"{",
    b"[]",
    b'{"name": "tiny"}',
    b'{"name": "tiny", "version": "1", "gliomaai": 3}',
]


@pytest.fixture
def pack(tmp_path: Path) -> ModelPack:
    return write_model_pack(tmp_path / "tiny", DATA, STATE, FILES)


def test_a_pack_comes_back_as_it_was_written(pack: ModelPack) -> None:
    again = load_model_pack(pack.folder)
    assert again == pack
    assert (again.name, again.version) == ("tiny", "1.2.3")
    assert again.settings == {"task": "segmentation"}
    weights = again.weights()
    assert weights["conv.weight"].dtype == torch.float32
    assert torch.equal(weights["conv.weight"], STATE["conv.weight"])
    assert weights["steps"].item() == 7


def test_whole_numbers_stay_whole(pack: ModelPack) -> None:
    assert not pack.weights()["steps"].is_floating_point()


def test_the_hash_of_the_pack_follows_its_content(pack: ModelPack, tmp_path: Path) -> None:
    same = write_model_pack(tmp_path / "same", DATA, STATE, FILES)
    assert same.sha256 == pack.sha256 == sha256_of(pack.folder / MANIFEST)
    changed = {**STATE, "steps": torch.tensor(8)}
    other = write_model_pack(tmp_path / "other", DATA, changed, FILES)
    assert other.sha256 != pack.sha256


@pytest.mark.parametrize("name", [WEIGHTS, METADATA, CARD, "LICENSE"])
def test_a_damaged_file_is_refused(pack: ModelPack, name: str) -> None:
    file = pack.folder / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelPackError, match=r"damaged.*install the model pack again"):
        load_model_pack(pack.folder)


def test_a_missing_file_is_refused(pack: ModelPack) -> None:
    (pack.folder / "LICENSE").unlink()
    with pytest.raises(ModelPackError, match="lacks LICENSE"):
        load_model_pack(pack.folder)


def test_an_added_file_is_refused(pack: ModelPack) -> None:
    (pack.folder / "models" / "evil.pt").write_bytes(b"pickle")
    with pytest.raises(ModelPackError, match=r"holds models/evil\.pt"):
        load_model_pack(pack.folder)


def test_a_folder_without_manifest_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ModelPackError, match="is no model pack"):
        load_model_pack(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"sha256": 3}', b"\xff\xfe"])
def test_an_unreadable_manifest_is_refused(pack: ModelPack, content: bytes) -> None:
    (pack.folder / MANIFEST).write_bytes(content)
    with pytest.raises(ModelPackError, match=r"manifest\.json cannot be read"):
        load_model_pack(pack.folder)


@pytest.mark.parametrize("name", [METADATA, WEIGHTS, CARD])
def test_a_manifest_must_list_what_a_pack_needs(pack: ModelPack, name: str) -> None:
    manifest = json.loads((pack.folder / MANIFEST).read_text())
    del manifest["sha256"][name]
    (pack.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelPackError, match=f"does not list {name}"):
        load_model_pack(pack.folder)


@pytest.mark.parametrize("content", METADATA_DAMAGE)
def test_metadata_without_the_needed_sections_is_refused(pack: ModelPack, content: bytes) -> None:
    (pack.folder / METADATA).write_bytes(content)
    manifest = json.loads((pack.folder / MANIFEST).read_text())
    manifest["sha256"][METADATA] = sha256_of(pack.folder / METADATA)
    (pack.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelPackError, match=r"metadata\.json cannot be read"):
        load_model_pack(pack.folder)


def test_a_manifest_reaches_no_file_outside_the_pack(pack: ModelPack) -> None:
    outside = pack.folder.parent / "outside.txt"
    outside.write_text("secret")
    manifest = json.loads((pack.folder / MANIFEST).read_text())
    manifest["sha256"]["../outside.txt"] = sha256_of(outside)
    (pack.folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelPackError, match=r"lacks \.\./outside\.txt"):
        load_model_pack(pack.folder)


def test_a_pack_replaces_an_older_one_and_leaves_no_scratch(pack: ModelPack) -> None:
    fresh = write_model_pack(pack.folder, {**DATA, "version": "2.0.0"}, STATE, FILES)
    assert load_model_pack(pack.folder) == fresh
    assert fresh.version == "2.0.0"
    assert [entry.name for entry in pack.folder.parent.iterdir()] == ["tiny"]


def test_a_failed_write_leaves_the_older_pack(pack: ModelPack) -> None:
    with pytest.raises(ModelPackError, match="needs its card"):
        write_model_pack(pack.folder, DATA, STATE, {"LICENSE": b""})
    with pytest.raises(TypeError):
        write_model_pack(pack.folder, {**DATA, "gliomaai": {1j}}, STATE, FILES)
    assert load_model_pack(pack.folder) == pack
    assert [entry.name for entry in pack.folder.parent.iterdir()] == ["tiny"]


def test_the_card_and_licence_are_readable_as_written(pack: ModelPack) -> None:
    assert (pack.folder / CARD).read_bytes() == FILES[CARD]
    assert (pack.folder / "LICENSE").read_bytes() == FILES["LICENSE"]
