from __future__ import annotations

from napari_impa.work.engine_choices import ask_engine


def test_engine_says_what_can_be_chosen() -> None:
    engine = ask_engine()
    assert 48 in engine.sizes
    assert engine.devices[0][0] == "auto"
    assert engine.segmenters[0][0] == "nuclei"
