from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_impa.cells.readers import as_labels, probe_image, read_image, read_masks
from napari_impa.errors import SourceError


def ramp(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


@pytest.fixture
def tif(tmp_path: Path) -> Path:
    return tmp_path / "image.tif"


@pytest.mark.parametrize("state", ["on", "off"])
@pytest.mark.parametrize(
    "before", ["", "<Description>Exposure: 100 ms</Description>", '<prop id="Description" type="string" value="x"/>']
)
def test_what_metaxpress_writes_of_a_plane(tif: Path, before: str, state: str) -> None:
    properties = {
        "spatial-calibration-state": state,
        "spatial-calibration-x": "0.656",
        "spatial-calibration-units": "um",
    }
    written = "".join(f'<prop id="{name}" type="string" value="{value}"/>' for name, value in properties.items())
    written += '<custom-prop id="_IllumSetting_" type="string" value="Hoechst"/>'
    about = f"<MetaData>{before}<PlaneInfo>{written}</PlaneInfo></MetaData>"
    tifffile.imwrite(tif, ramp(4, 6), description=about, software="MetaSeries", metadata=None)
    image = read_image(tif)
    assert (image.channels, image.pixel_size) == (("Hoechst",), 0.656 if state == "on" else None)


def test_a_plane_of_metaxpress_without_a_description_that_can_be_read(tif: Path) -> None:
    about = "<MetaData><PlaneInfo><prop id=</MetaData>"
    tifffile.imwrite(tif, ramp(4, 6), description=about, software="MetaSeries", metadata=None)
    image = read_image(tif)
    assert (image.pixels.shape, image.channels, image.pixel_size) == ((1, 4, 6), ("",), None)


def test_ome_tiff_gives_channels_and_pixel_size(tif: Path) -> None:
    path = tif.with_suffix(".ome.tif")
    metadata = {
        "axes": "CYX", "Channel": {"Name": ["DNA", "actin", "tubulin"]},
        "PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 325, "PhysicalSizeYUnit": "nm",
    }  # fmt: skip
    tifffile.imwrite(path, ramp(3, 20, 30), metadata=metadata)
    image = read_image(path)
    assert np.array_equal(image.pixels, ramp(3, 20, 30))
    assert image.channels == ("DNA", "actin", "tubulin")
    assert image.pixel_size == pytest.approx(0.325)


def test_ome_tiff_with_channels_before_singletons(tif: Path) -> None:
    path = tif.with_suffix(".ome.tif")
    tifffile.imwrite(path, ramp(1, 2, 1, 20, 30), metadata={"axes": "TCZYX"})
    image = read_image(path)
    assert image.pixels.shape == (2, 20, 30)
    assert image.channels == ("Channel:0:0", "Channel:0:1") or image.channels == ("", "")
    assert image.pixel_size is None


def test_imagej_tiff_gives_labels_and_unit(tif: Path) -> None:
    metadata = {"axes": "CYX", "unit": "um", "Labels": ["c:1/2 - DAPI", "c:2/2 - GFP"]}
    tifffile.imwrite(tif, ramp(2, 20, 30), imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata=metadata)
    image = read_image(tif)
    assert np.array_equal(image.pixels, ramp(2, 20, 30))
    assert image.pixels.dtype.isnative  # ImageJ writes big-endian
    assert image.channels == ("DAPI", "GFP")
    assert image.pixel_size == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("unit", "per_unit", "size"), [("CENTIMETER", 1e4 / 0.5, 0.5), ("INCH", 25400 / 0.5, 0.5), ("INCH", 72, None)]
)
def test_tiff_resolution_is_a_pixel_size_unless_meant_for_printing(
    tif: Path, unit: str, per_unit: float, size: float | None
) -> None:
    tifffile.imwrite(tif, ramp(20, 30), resolution=(per_unit, per_unit), resolutionunit=unit, metadata=None)
    found = read_image(tif).pixel_size
    assert found == (None if size is None else pytest.approx(size))


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("bool", "uint8"), ("uint8", "uint8"), ("uint16", "uint16"), ("int16", "float32"), ("uint32", "float32"),
        ("float32", "float32"), ("float64", "float32"), (">u2", "uint16"),
    ],
)  # fmt: skip
def test_types(tmp_path: Path, stored: str, read: str) -> None:
    path = tmp_path / "image.npy"
    pixels = ramp(20, 30).astype(stored)
    np.save(path, pixels)
    image = read_image(path)
    assert image.pixels.dtype == read == probe_image(path).pixels.dtype
    assert np.array_equal(image.pixels[0], pixels)


@given(st.integers(1, 16), st.integers(17, 40), st.integers(17, 40), st.booleans())
def test_the_small_axis_is_the_channels(
    tmp_path_factory: pytest.TempPathFactory, count: int, height: int, width: int, last: bool
) -> None:
    path = tmp_path_factory.mktemp("a") / "image.npy"
    pixels = ramp(count, height, width)
    np.save(path, np.moveaxis(pixels, 0, -1) if last else pixels)
    assert np.array_equal(read_image(path).pixels, pixels)


def test_rgb_in_all_ways_it_comes(tmp_path: Path) -> None:
    colour = ramp(20, 30, 3, dtype="uint8")
    alpha = np.dstack([colour, np.full((20, 30), 255, np.uint8)])
    PIL.Image.fromarray(colour).save(tmp_path / "rgb.png")
    PIL.Image.fromarray(alpha).save(tmp_path / "rgba.png")
    tifffile.imwrite(tmp_path / "rgb.tif", colour, photometric="rgb")
    tifffile.imwrite(tmp_path / "rgba.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    for path in sorted(tmp_path.iterdir()):
        image = read_image(path)
        assert np.array_equal(image.pixels, np.moveaxis(colour, -1, 0)), path.name
        assert image.channels == ("red", "green", "blue")
        assert probe_image(path).pixels.shape == image.pixels.shape
        assert probe_image(path).channels == image.channels


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_png(tmp_path: Path, dtype: str) -> None:
    pixels = ramp(20, 30, dtype=dtype) * (1 if dtype == "uint8" else 200)
    PIL.Image.fromarray(pixels).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    assert image.pixels.dtype == dtype
    assert np.array_equal(image.pixels, pixels[None])


def test_labels_with_a_table_of_colours_are_its_numbers(tmp_path: Path) -> None:
    """As VOC, GIMP and ImageJ write them: several labels share a red value, which would make one object of them."""
    labels = np.zeros((20, 30), np.uint8)
    labels[2:6, 2:6], labels[2:6, 12:16], labels[12:16, 2:6] = 1, 3, 200
    picture = PIL.Image.fromarray(labels).convert("P")
    picture.putpalette([value for number in range(256) for value in (128 * (number & 1), number // 2, 7)])
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_masks(tmp_path / "mask.png").pixels, labels[None])
    assert read_image(tmp_path / "mask.png").channels == ("red", "green", "blue")


def test_pages_without_names_are_channels(tif: Path) -> None:
    with tifffile.TiffWriter(tif) as writer:
        for plane in ramp(3, 20, 30):
            writer.write(plane, metadata=None, contiguous=False)
    assert np.array_equal(read_image(tif).pixels, ramp(3, 20, 30))


@pytest.mark.parametrize(("axes", "says"), [("ZYX", "Z stack of 5.*project"), ("TYX", "time series of 5.*split")])
def test_stacks_are_refused(tif: Path, axes: str, says: str) -> None:
    tifffile.imwrite(tif, ramp(5, 20, 30), imagej=True, metadata={"axes": axes})
    for read in (read_image, probe_image):
        with pytest.raises(SourceError, match=f"{tif.name}.*{says}"):
            read(tif)


@pytest.mark.parametrize("shape", [(30, 20, 30), (40, 50, 60), (2, 3, 20, 30)])
def test_arrays_without_a_channel_axis_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", ramp(*shape))
    with pytest.raises(SourceError, match=r"a\.npy has the shape"):
        read_image(tmp_path / "a.npy")


@pytest.mark.parametrize("kind", ["plain", "ome", "imagej", "deflate", "npy", "png"])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_named_or_was_cut_behind_its_pixels(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    pixels = np.random.default_rng(0).integers(1, 60000, (1 if kind == "png" else 2, 40, 50)).astype(np.uint16)
    path = folder / f"image.{kind if kind in ('npy', 'png') else 'ome.tif' if kind == 'ome' else 'tif'}"
    if kind == "npy":
        np.save(path, pixels)
    elif kind == "png":
        PIL.Image.fromarray(pixels[0]).save(path)
    else:
        options: dict[str, dict[str, Any]] = {
            "imagej": {"imagej": True, "metadata": {"axes": "CYX"}},
            "deflate": {"compression": "zlib"},
        }
        tifffile.imwrite(path, pixels, **options.get(kind, {}))
    data = path.read_bytes()
    assume(int(share * len(data)) < len(data))
    path.write_bytes(data[: int(share * len(data))])
    image, message = None, ""
    try:
        image = read_image(path)
    except SourceError as error:
        message = str(error)
    assert (path.name in message and "\n" not in message) if image is None else np.array_equal(image.pixels, pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.npy"])
@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"II*\0\x08\0\0\0\xff\xff"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name.replace(".", r"\.")):
        read_image(tmp_path / name)


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(["text"]))
    (tmp_path / "a.jpg").write_bytes(b"x")
    for name, says in (("a.npy", "of type"), ("a.jpg", "no image that can be read"), ("none.tif", "There is no image")):
        with pytest.raises(SourceError, match=says):
            read_image(tmp_path / name)


def test_images_of_nan_and_black_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "nan.npy", np.full((2, 20, 30), np.nan, np.float32))
    np.save(tmp_path / "black.npy", np.zeros((2, 20, 30), np.uint8))
    assert np.isnan(read_image(tmp_path / "nan.npy").pixels).all()
    assert not read_image(tmp_path / "black.npy").pixels.any()


def test_label_images_keep_big_numbers(tif: Path) -> None:
    labels = np.zeros((20, 30), np.uint32)
    labels[2:5, 2:5], labels[8:12, 8:12] = 3, 2**24 + 1
    tifffile.imwrite(tif, labels)
    masks = as_labels(read_masks(tif).pixels[0], tif)
    assert masks.dtype == np.int32
    assert np.array_equal(masks, labels)


def test_objects_of_a_yes_no_mask_are_numbered(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 2:5] = mask[8:12, 8:12] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    (plane,) = read_masks(tmp_path / "mask.png").pixels
    assert np.array_equal(np.unique(as_labels(plane, "mask.png")), [0, 1, 2])


@pytest.mark.parametrize("value", [0.5, np.nan, -1.0, 2.0**40])
def test_what_is_no_label_image_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(SourceError, match=r"mask\.npy is no label image"):
        as_labels(np.full((20, 30), value), "mask.npy")


def test_real_ome_tiff(shared: Path) -> None:
    image = read_image(shared / "data/bbbc022_u2os/images/plate1_A14_site1_Ch1.tiff")
    assert image.pixels.shape == (5, 520, 696)
    assert image.channels == ("H33342", "conA", "SYTO14", "WGA_Phall", "MitoTDR")
    assert image.pixel_size == pytest.approx(0.656)
