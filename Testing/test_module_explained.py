"""Explain on the bench: the button, the bars, the maps over the images, and what is missing."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

if find_spec("PySide6") is None or find_spec("slicer") is None:
    pytest.skip("the bench needs the extra [slicer]", allow_module_level=True)

import module_front  # before PySide6: it sets the bench up
from bench import look
from review_fakes import NETWORK, FakeWorker, jobs_of, labels, raw

from GliomaAILib.worker.protocol import Reassess


class Front(module_front.Front):
    """The module with a worker that answers at once, and four volumes."""

    def __init__(self, **more: Any) -> None:
        self.answering = FakeWorker()
        self.answering.more = more
        super().__init__(lambda *_: self.answering)

    def analysed(self) -> "Front":
        from scene_makers import add_volume

        for name in ("T1", "T1 Gd", "T2", "FLAIR"):
            volume = raw(np.arange(120, dtype=np.int16).reshape(6, 5, 4))
            add_volume(self.scene, name, volume)
        self.wait(lambda: self.state.commands["run"].enabled)
        self.press("runButton")
        assert self.state.has_result, self.state.outcome
        return self

    def press(self, name: str) -> None:
        """Presses a button and waits until what it began has ended."""
        assert self.widget(name).enabled, self.widget(name).toolTip
        self.widget(name).click()
        self.wait()

    def explained(self) -> "Front":
        self.press("explainButton")
        assert self.state.document.get("explanation"), self.state.outcome
        return self

    def shown_map(self) -> str:
        return str(self.widget("saliencyComboBox").currentText)

    def choose_map(self, index: int) -> None:
        box = self.widget("saliencyComboBox")
        box.currentIndex = index
        box.activated.emit(index)


def opened(**more: Any) -> Iterator[Front]:
    front = Front(**more)
    yield front
    front.close()
    assert look.slot_errors == []


@pytest.fixture
def front() -> Iterator[Front]:
    """With a pack that has heads."""
    yield from opened(network=NETWORK, not_estimated={})


@pytest.fixture
def plain() -> Iterator[Front]:
    """With a pack that segments."""
    yield from opened()


def test_the_button_says_what_it_waits_for(front: Front) -> None:
    assert not front.widget("explainButton").enabled
    assert "run the analysis first" in front.widget("explainButton").toolTip
    front.analysed()
    assert front.widget("explainButton").enabled
    assert "each sequence" in front.widget("explainButton").toolTip
    assert front.widget("explainReason").text == ""


def test_a_segmentation_pack_says_what_is_missing(plain: Front) -> None:
    plain.analysed()
    assert not plain.widget("explainButton").enabled
    assert "choose a multi-task pack" in plain.widget("explainReason").text


def test_bars_and_numbers_are_shown(front: Front) -> None:
    front.analysed().explained()
    (job,) = jobs_of(front.answering, Reassess)
    assert job.explain
    chart = front.widget("importanceChart")
    assert "IDH mutant: 60 %, 40 % without images: T1Gd +30 points" in chart.accessibleDescription
    table = front.widget("riskTable").text
    assert "IDH mutant, what FLAIR added: \N{MINUS SIGN}10 points" in table
    assert "risk, part of the map inside the tumour: 40 %" in table
    assert "neither a cause" in front.widget("explanationText").text
    assert "already" in front.widget("explainReason").text


def test_maps_and_uncertainty_take_turns(front: Front) -> None:
    front.analysed().explained()
    front.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    box = front.widget("saliencyComboBox")
    assert [box.itemText(n) for n in range(box.count)] == ["No map", "IDH mutant", "risk"]
    uncertainty = front.widget("uncertaintyBox")
    uncertainty.checked = True
    assert front.desk.views.uncertainty
    front.choose_map(1)
    assert front.desk.views.saliency == "idh:mutant"
    assert not uncertainty.checked
    uncertainty.checked = True
    assert front.desk.views.saliency == ""
    assert front.shown_map() == "No map"
    front.choose_map(2)
    front.choose_map(0)
    assert front.desk.views.saliency == ""


def test_an_edit_is_out_of_date_and_reassess_takes_it_away(front: Front) -> None:
    from GliomaAILib.scene.label_maps import part_of
    from GliomaAILib.scene.segmentation import set_labels

    front.analysed().explained()
    scene = front.desk.scene
    set_labels(scene.segmentation, part_of(labels(et=30).array), scene.reference)
    front.wait(lambda: front.state.out_of_date)
    front.wait()
    assert front.widget("explanationText").text.startswith("Out of date")
    front.press("reassessButton")
    assert front.widget("explanationText").text == ""
    assert front.widget("saliencyComboBox").count == 1
    assert front.widget("explainButton").enabled


def test_another_case_has_its_own_maps(front: Front) -> None:
    front.analysed().explained()
    front.press("newCaseButton")
    assert front.widget("saliencyComboBox").count == 1
    assert front.widget("explanationText").text == ""
