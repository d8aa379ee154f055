"""Recognition by name, in the habits of public data sets, vendors and hospitals."""

import pytest

from GliomaAILib.intake.evidence import combine
from GliomaAILib.intake.names import name_evidence, other_kind

NAMES = {
    "t1": [
        "BraTS20_Training_001_t1",
        "BraTS-GLI-00000-000-t1n",
        "UCSF-PDGM-0004_T1",
        "UPENN-GBM-00001_11_T1",
        "AX T1",
        "Ax T1 SE pre",
        "t1_se_tra",
        "T1W_SE",
        "T1 nativ tra",
        "t1_mprage_sag_p2_iso",
        "SAG 3D MPRAGE",
        "T1 axial ohne KM",
        "T1 SAG SANS INJ",
        "T1 AXIAL SIN CONTRASTE",
        "T1 ax bez kontrastu",
        "AX T1 W/O",
        "T1 FLAIR AX",
        "Ax T1 FSE non contrast",
        "T1 tra vor KM",
        "AX T1 PRE GAD",
        "3D T1 TFE",
        "Sag BRAVO pre",
    ],
    "t1gd": [
        "BraTS20_Training_001_t1ce",
        "BraTS-GLI-00000-000-t1c",
        "UCSF-PDGM-0004_T1c",
        "UPENN-GBM-00001_11_T1GD",
        "T1 +C",
        "AX T1 +C",
        "T1 post GAD",
        "Ax T1 KM",
        "T1W_3D_TFE_Gd",
        "t1_mprage_tra_p2_iso_KM",
        "t1_mpr_sag_post_contrast",
        "AX T1 POST",
        "COR T1 C+",
        "T1 AX GADO",
        "3D T1 INJECTE",
        "T1 AX CON CONTRASTE",
        "T1 tra nach KM",
        "T1 FS GD",
        "t1_se_tra+KM",
        "CT1",
        "T1 MDC",
        "SAG T1 CUBE +C",
        "AX FSPGR 3D +GAD",
        "T1 3D po kontrascie",
        "3D BRAVO Post Gd",
        "t1gd",
        "T1 AX \u0441 контрастом",
        "轴位T1增强",
        "T1_VIBE_KM",
    ],
    "t2": [
        "BraTS20_Training_001_t2",
        "BraTS-GLI-00000-000-t2w",
        "UCSF-PDGM-0004_T2",
        "AX T2 FSE",
        "t2_tse_tra_512",
        "T2W_TSE",
        "T2 PROPELLER AX",
        "t2_blade_tra",
        "T2 axial post",
        "Sag T2 CUBE",
        "t2_space_sag_p2_iso",
        "Ax T2 FRFSE fs",
        "T2 tra TSE",
    ],
    "flair": [
        "BraTS20_Training_001_flair",
        "BraTS-GLI-00000-000-t2f",
        "UCSF-PDGM-0004_FLAIR",
        "AX FLAIR",
        "FLAIR tra dark fluid",
        "t2_tirm_tra_dark-fluid",
        "t2_spc_ir_sag_dark-fluid",
        "Ax T2 FLAIR",
        "T2 FLAIR +C",
        "3D FLAIR sag",
        "T2W_FLAIR",
        "FLAIR_longTR",
        "Sag CUBE T2 FLAIR",
        "3D_Brain_VIEW_FLAIR",
    ],
}

OTHERS = {
    "segmentation": [
        "BraTS20_Training_001_seg",
        "seg",
        "tumor_segmentation",
        "UCSF-PDGM-0004_brain_parenchyma_segmentation",
        "brainmask",
        "mask",
        "wt_label",
        "segmentation",
    ],
    "diffusion": [
        "ADC",
        "ep2d_diff_3scan_trace_p2_ADC",
        "DWI b1000",
        "Ax DWI",
        "eADC",
        "DTI_eddy_FA",
        "UCSF-PDGM-0004_DWI",
        "b1000t_DWI",
    ],
    "susceptibility": ["SWI", "Ax T2* GRE", "t2_star", "SWAN", "T2 FFE HEMO", "minIP"],
    "perfusion": ["rCBV", "ep2d_perf_p2", "ASL", "DSC_ap-rCBV", "relCBF", "DCE"],
    "angiography": ["TOF_3D_multi-slab", "MRA TOF", "AX 3D TOF MIP"],
    "localiser": ["localizer", "3-pl T2* FGRE S", "AAHead_Scout", "SURVEY", "3 Plane Loc", "LOC"],
    "map": ["T1 map", "field_mapping", "ASSET calibration"],
    "other_contrast": ["COR STIR", "FIESTA", "t2_ciss3d"],
    "derived": ["mIP_Images(SW)", "T1 SUB", "Subtraction T1"],
}


@pytest.mark.parametrize(
    ("sequence", "name"), [(sequence, name) for sequence in NAMES for name in NAMES[sequence]]
)
def test_a_name_gives_its_sequence(sequence: str, name: str) -> None:
    assert other_kind(name) is None
    evidence = name_evidence(name)
    assert evidence is not None
    probabilities = combine([evidence])
    assert max(probabilities, key=lambda key: probabilities[key]) == sequence
    assert probabilities[sequence] >= 0.7


@pytest.mark.parametrize(
    ("code", "name"), [(code, name) for code in OTHERS for name in OTHERS[code]]
)
def test_a_name_of_another_kind_is_no_sequence(code: str, name: str) -> None:
    kind = other_kind(name)
    assert kind is not None
    assert kind.code == code


@pytest.mark.parametrize("name", ["a", "IM00033865", "series 7", "brain", "Patient 3", "scan_02"])
def test_a_name_without_a_word_on_the_sequence_says_nothing(name: str) -> None:
    assert name_evidence(name) is None
    assert other_kind(name) is None


def test_the_evidence_never_quotes_the_text() -> None:
    evidence = name_evidence("AX T1 Mustermann")
    assert evidence is not None
    assert "ustermann" not in evidence.why
