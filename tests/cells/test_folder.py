from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.folder import crop_source, crop_summary, open_source, read_cells
from napari_impa.cells.segmenters import segmenter
from napari_impa.cells.store import Cells, CellsWriter, open_cells
from napari_impa.errors import CellsError, ConditionError, SourceError

CENTRES = [(20, 20), (20, 60), (20, 100), (60, 40), (60, 80), (3, 40)]


def field(dtype: str = "uint16", level: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """(2, 80, 120) pixels with six nuclei in the first channel, one of them at the border, and their labels."""
    rows, columns = np.mgrid[:80, :120]
    labels = np.zeros((80, 120), np.int32)
    for number, (y, x) in enumerate(CENTRES, 1):
        labels[np.hypot(rows - y, columns - x) < 7] = number
    noise = np.random.default_rng(0).normal(0, 8, labels.shape)
    dna = 100 + level * (labels > 0) + noise
    return np.stack([dna, 100 + rows + columns]).astype(dtype), labels


@pytest.fixture
def screen(tmp_path: Path) -> Path:
    """Four fields under two conditions in two plates, with masks."""
    folder = tmp_path / "screen"
    folder.mkdir()
    rows = ["file,mask_file,plate,compound"]
    for i in range(4):
        pixels, labels = field()
        np.save(folder / f"f{i}.npy", pixels)
        np.save(folder / f"m{i}.npy", labels)
        rows.append(f"f{i}.npy,m{i}.npy,00{i // 2},{['DMSO', 'taxol'][i % 2]}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Thirty crops of 20×20 px, one subfolder a condition."""
    rng = np.random.default_rng(0)
    for i in range(30):
        path = tmp_path / "crops" / ("DMSO" if i % 3 else "taxol") / f"{i:02}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.integers(0, 60000, (20, 20, 3)).astype(np.uint16))
    return tmp_path / "crops"


NAMES = ["DNA", "actin"]


@pytest.mark.parametrize("stream", [False, True])
def test_fields_become_cells_centred_on_nuclei(screen: Path, tmp_path: Path, stream: bool) -> None:
    said: list[tuple[int, int, str]] = []
    out = tmp_path / "x.cells" if stream else None
    cells = crop_source(screen, out, size=16, channels=NAMES, progress=lambda *step: said.append(step))
    assert isinstance(cells.pixels, np.memmap) == stream
    assert cells.pixels.shape == (20, 2, 16, 16)
    assert cells.pixels.dtype == np.uint16
    assert list(cells.table.columns) == ["field", "y", "x", "label", "plate", "compound"]
    assert cells.table[["y", "x"]].to_numpy()[:5].tolist() == [list(centre) for centre in CENTRES[:5]]
    assert cells.table["plate"].unique().tolist() == ["000", "001"]
    assert cells.counts().to_dict() == {"DMSO": 10, "taxol": 10}
    pixels, _ = field()
    assert np.array_equal(cells.pixels[3], pixels[:, 60 - 8 : 60 + 8, 40 - 8 : 40 + 8])
    assert cells.history == {
        "source": "screen", "kind": "fields", "fields": 4, "segmenter": "labels", "border": "skip",
        "left_out_at_border": 4,
    }  # fmt: skip
    assert crop_summary(cells) == "20 cells of 16×16 px from 4 fields; 4 cells at the border left out."
    assert [step[:2] for step in said] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert said[-1][2] == "20 cells"


def test_nuclei_are_found_where_there_are_no_masks_or_it_is_asked_for(screen: Path) -> None:
    cells = crop_source(screen, size=16, segment="nuclei", channels=NAMES)
    assert cells.history["segmenter"] == "nuclei"
    found, truth = cells.table[["y", "x"]].to_numpy()[:5], np.array(CENTRES[:5])
    assert len(cells) == 20
    assert np.abs(found[np.lexsort(found.T[::-1])] - truth[np.lexsort(truth.T[::-1])]).max() <= 1
    table = pd.read_csv(screen / "metadata.csv").drop(columns="mask_file")
    table.to_csv(screen / "metadata.csv", index=False)
    assert crop_source(screen, size=16, nuclei_channel=0).history["segmenter"] == "nuclei"
    with pytest.raises(CellsError, match="no mask file for every field; let nuclei be found"):
        crop_source(screen, size=16, segment="labels")
    with pytest.raises(CellsError, match="no segmenter 'magic'; choose one of: nuclei, labels"):
        crop_source(screen, size=16, segment="magic")


def test_cells_at_the_border_may_be_padded(screen: Path) -> None:
    assert len(crop_source(screen, size=16, border="pad")) == 24


def test_crops_have_the_side_that_a_training_takes_where_none_is_asked_for(screen: Path) -> None:
    from napari_impa.engine.training.settings import TrainingSettings

    assert crop_source(screen, channels=NAMES, border="pad").pixels.shape[-1] == TrainingSettings().size


@pytest.mark.parametrize(("size", "says"), [(81, "the largest possible is 80 px"), (1, "choose at least 2")])
def test_a_side_that_does_not_fit_a_field_is_said_before_anything_is_read(screen: Path, size: int, says: str) -> None:
    with pytest.raises(CellsError, match=says):
        crop_source(screen, size=size)


def test_a_field_smaller_than_a_crop_is_left_out_and_named(screen: Path) -> None:
    """It would end the work on a whole plate, after hours."""
    pixels, labels = field()
    np.save(screen / "f2.npy", pixels[:, :, 10:30])
    np.save(screen / "m2.npy", labels[:, 10:30])
    cells = read_cells(screen, size=24, channels=NAMES)
    assert set(cells.table["field"]) == {"f0.npy", "f1.npy", "f3.npy"}
    assert crop_summary(cells).endswith("; 1 field smaller than a crop left out (f2.npy).")
    padded = crop_source(screen, size=24, channels=NAMES, border="pad")
    assert padded.table["field"].nunique() == 4


def test_crops_are_read_and_cut_around_their_centre(crops: Path) -> None:
    cells = read_cells(crops)
    assert cells.pixels.shape == (30, 3, 20, 20)
    assert (cells.label, cells.control) == (("condition",), "DMSO")
    assert cells.counts().to_dict() == {"DMSO": 20, "taxol": 10}
    first = np.load(crops / "DMSO" / "01.npy")
    assert cells.table.iloc[0].to_dict() == {"field": "DMSO/01.npy", "y": 10, "x": 10, "label": 0, "condition": "DMSO"}
    assert np.array_equal(cells.pixels[0], np.moveaxis(first, -1, 0))
    smaller = read_cells(crops, size=8, channels=["a", "b", "c"])
    assert np.array_equal(smaller.pixels, cells.pixels[:, :, 6:14, 6:14])
    assert smaller.channels == ("a", "b", "c")
    with pytest.raises(CellsError, match="does not fit the crops of crops; the largest possible is 20 px"):
        read_cells(crops, size=21)


def test_cells_are_read_as_they_were_written_or_cut_smaller(crops: Path, tmp_path: Path) -> None:
    crop_source(crops, tmp_path / "x.cells")
    cells = read_cells(tmp_path / "x.cells")
    assert isinstance(cells.pixels, np.memmap)
    assert (cells.label, cells.control) == (("condition",), "DMSO")
    assert read_cells(tmp_path / "x.cells", control="taxol").control == "taxol"
    smaller = crop_source(tmp_path / "x.cells", tmp_path / "y.cells", size=8)
    assert np.array_equal(smaller.pixels, cells.pixels[:, :, 6:14, 6:14])
    assert smaller.table.equals(cells.table)
    with pytest.raises(CellsError, match="the largest possible is 20 px"):
        read_cells(tmp_path / "x.cells", size=64)


def test_wrong_names_are_said_before_any_pixel_is_read(screen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_impa.cells.layouts.entry.read_image", None)
    with pytest.raises(ConditionError, match="no column 'drug'; its columns are: plate, compound"):
        read_cells(screen, label="drug")
    with pytest.raises(ConditionError, match="control's name 'water'; the conditions are: DMSO, taxol"):
        read_cells(screen, label=["compound"], control="water")


def test_a_column_called_label_is_a_label(crops: Path) -> None:
    rows = "".join(
        f"{file.relative_to(crops).as_posix()},{file.parent.name}\n" for file in sorted(crops.rglob("*.npy"))
    )
    (crops / "metadata.csv").write_text("file,label\n" + rows)
    assert read_cells(crops, label="label", control="DMSO").counts().to_dict() == {"DMSO": 20, "taxol": 10}
    assert read_cells(crops).label == ("label_given",)


def test_a_source_without_labels_is_read_without(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", field()[0])
    cells = read_cells(tmp_path, size=16, nuclei_channel=0)
    assert (len(cells), cells.label, cells.control) == (5, (), None)
    with pytest.raises(ConditionError, match="No label column is known for the control 'DMSO'"):
        read_cells(tmp_path, control="DMSO")


def test_a_segmenter_with_settings_cuts_and_is_written_down(screen: Path, tmp_path: Path) -> None:
    pixels, labels = field()
    rows, columns = np.mgrid[:80, :120]
    edge = (labels == 1) & (np.hypot(rows - 20, columns - 20) >= 5)
    pixels[0][edge], labels[edge] = 100, 0  # one nucleus is smaller than the others
    np.save(screen / "f0.npy", pixels)
    np.save(screen / "m0.npy", labels)
    plain = crop_source(screen, size=16, segment="nuclei", channels=NAMES)
    assert len(plain) == 20
    assert "segmenter_settings" not in plain.history
    for segment in (segmenter("nuclei", minimum_area=100, threshold=1.1), segmenter("labels", minimum_area=100)):
        cells = crop_source(screen, tmp_path / f"{segment.name}.cells", size=16, segment=segment, channels=NAMES)
        assert len(cells) == 19
        assert cells.history["segmenter"] == segment.name
        assert segmenter(cells.history["segmenter"], **cells.history["segmenter_settings"]) == segment
        again = read_cells(screen, size=16, segment=segment, channels=NAMES)
        np.testing.assert_array_equal(again.pixels, cells.pixels)
        assert again.history == cells.history


@pytest.mark.parametrize("value", [0, np.nan])
@pytest.mark.parametrize("segment", ["nuclei", "labels"])
def test_blank_fields_are_counted_and_all_blank_is_an_error(screen: Path, value: float, segment: str) -> None:
    for i in range(4):
        np.save(screen / f"f{i}.npy", field("float32")[0])
    np.save(screen / "f1.npy", np.full((2, 80, 120), value, np.float32))
    cells = crop_source(screen, size=16, segment=segment, channels=NAMES)
    assert cells.history["blank_fields"] == ["f1.npy"]
    assert crop_summary(cells).endswith("; 1 field gave no cell (f1.npy).")
    assert np.isfinite(cells.pixels).all()
    for i in range(4):
        np.save(screen / f"f{i}.npy", np.full((2, 80, 120), value, np.float32))
    with pytest.raises(CellsError, match="its images are black or hold no numbers"):
        crop_source(screen, screen / "out.cells", size=16, segment=segment, channels=NAMES)
    assert not list(screen.glob("*out*"))


def test_crops_with_holes_of_nan_are_left_out(screen: Path) -> None:
    pixels = field("float32")[0]
    for i in range(4):
        np.save(screen / f"f{i}.npy", pixels)
    pixels[1, 20, 20] = np.nan
    np.save(screen / "f0.npy", pixels)
    cells = crop_source(screen, size=16, channels=NAMES)
    assert len(cells) == 19
    assert cells.history["left_out_blank"] == 1
    assert np.isfinite(cells.pixels).all()


def test_blank_crops_are_left_out(crops: Path) -> None:
    np.save(crops / "DMSO" / "01.npy", np.zeros((20, 20, 3), np.uint16))
    cells = read_cells(crops)
    assert len(cells) == 29
    assert cells.history["left_out_blank"] == 1


def test_cells_all_at_the_border(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", field()[0])
    with pytest.raises(CellsError, match=r"All 6 cells of .* lie too near to the border"):
        crop_source(tmp_path, size=78, nuclei_channel=0)


def test_a_field_without_cells(tmp_path: Path) -> None:
    labels, pixels = np.zeros((80, 120), np.uint8), field()[0]
    np.save(tmp_path / "a.npy", pixels)
    np.save(tmp_path / "m.npy", labels)
    (tmp_path / "metadata.csv").write_text("file,mask_file\na.npy,m.npy\n")
    with pytest.raises(CellsError, match=r"No cell was found in the 1 field of"):
        crop_source(tmp_path, size=16)


def test_a_damaged_image_on_the_way_leaves_nothing(screen: Path, tmp_path: Path) -> None:
    data = (screen / "f2.npy").read_bytes()
    (screen / "f2.npy").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"f2\.npy cannot be read"):
        crop_source(screen, tmp_path / "x.cells", size=16, channels=NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["screen"]


def test_a_full_disk_on_the_way_leaves_nothing(screen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = CellsWriter.append

    def append(self: CellsWriter, *block: Any) -> None:
        real(self, *block)
        if self.count > 10:
            self._pixels.close()  # what is written after this fails as on a full disk
            raise self._failed(OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(CellsWriter, "append", append)
    with pytest.raises(CellsError, match="No space left on device"):
        crop_source(screen, tmp_path / "x.cells", size=16, channels=NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["screen"]


def test_an_opened_source_can_be_cropped(screen: Path) -> None:
    assert len(crop_source(open_source(screen, channels=NAMES), size=16)) == 20


def test_real_crops(shared: Path) -> None:
    label = ["compound", "dose_um"]
    cells = read_cells(shared / "data/bbbc021_cycloheximide", label=label, control="DMSO", size=64)
    assert cells.pixels.shape == (3050, 3, 64, 64)
    assert sorted(cells.counts().index) == ["DMSO", "cycloheximide 15", "cycloheximide 5", "cycloheximide 50"]
    assert cells.is_control.sum() == 1350


@pytest.mark.parametrize(("name", "segment", "least"), [("bbbc014_tnfa", None, 1000), ("bbbc022_u2os", "labels", 850)])
def test_real_fields(shared: Path, tmp_path: Path, name: str, segment: str | None, least: int) -> None:
    cells: Cells = crop_source(shared / "data" / name, tmp_path / "x", size=48, segment=segment)
    assert len(cells) >= least
    assert len(open_cells(tmp_path / "x.cells")) == len(cells)


def test_crops_that_show_nothing_are_left_out_whatever_their_type(tmp_path: Path) -> None:
    for dtype in ("uint16", "float32"):
        folder = tmp_path / dtype
        folder.mkdir()
        shown = np.arange(2 * 20 * 20).reshape(2, 20, 20).astype(dtype)
        for name, pixels in (("a", shown), ("flat", np.full_like(shown, 7)), ("b", shown)):
            np.save(folder / f"{name}.npy", pixels)
        cells = read_cells(folder)
        assert cells.table["field"].tolist() == ["a.npy", "b.npy"]
        assert cells.history["left_out_blank"] == 1
