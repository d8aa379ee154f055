"""What the study of lower-grade glioma says: its tables with their readings, and its figures."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from gliomaai_training.cohorts.flow import flow_table
from gliomaai_training.studies import lgg_tables as t
from gliomaai_training.studies.lgg_cohort import Lgg
from gliomaai_training.studies.lgg_models import CANDIDATES, Apparent, Crossed, HeldOut
from gliomaai_training.studies.lgg_sides import (
    BOTH,
    CLINICAL,
    INTEGRATED_NAME,
    WHO,
    WHO_BOTH,
    Clinical,
    Imaged,
)
from gliomaai_training.studies.postoperative_figures import calibration, nomogram
from gliomaai_training.studies.postoperative_models import fit
from gliomaai_training.studies.postoperative_tables import model_tables
from gliomaai_training.studies.predictions import SurvivalPredictions
from gliomaai_training.studies.scores import Judged, calibration_table, difference_table
from gliomaai_training.studies.study import StudyFigure, StudySettings, StudyTable
from gliomaai_training.survival.nomogram import Nomogram
from gliomaai_training.survival.outcome import Outcome

END_MONTHS = 84.0
"""Of the Kaplan-Meier curves."""


def clinical_tables(lgg: Lgg, clinical: Clinical, settings: StudySettings) -> list[StudyTable]:
    """What can be told without images."""
    return [
        *_screen_tables(lgg, clinical),
        *_everyone_tables(lgg, clinical, settings),
        *_modern_tables(clinical, settings),
        _external_table(lgg, clinical, settings),
    ]


def _screen_tables(lgg: Lgg, clinical: Clinical) -> list[StudyTable]:
    flow = flow_table([lgg.cohort, lgg.imaged_cohort, lgg.external_cohort])
    in_rest = fit(lgg.rest, clinical.terms, "clinical", "TCGA-LGG")
    ratios, hazards = model_tables(in_rest, lgg.rest, CANDIDATES)
    size = f"n = {len(lgg.rest.followed)}, {lgg.rest.followed.events} deaths"
    words = ", ".join(term.label for term in clinical.terms)
    return [
        StudyTable("flow", "Patients", flow),
        replace(
            ratios,
            name="screen",
            title=f"Screen of the clinical candidates, patients without slices ({size})",
            reading=f"The paper's way: p < .05 alone to come in, p ≤ .05 together to stay (all "
            f"levels of a category tested at once). Kept: {words}. Hazard ratios with 95 % Wald "
            "intervals.",
        ),
        replace(hazards, title="Proportional hazards of the clinical model"),
    ]


def _everyone_tables(lgg: Lgg, clinical: Clinical, settings: StudySettings) -> list[StudyTable]:
    judged = t.judged_of(lgg.everyone, settings)
    calibrated = {
        name: clinical.everyone[name] for name in ("clinical, by patient", "clinical, by hospital")
    }
    return [
        StudyTable(
            "clinical",
            "The clinical model in all of TCGA-LGG, cross-validated",
            t.ladder(clinical.everyone, judged, {}),
            "Screened and fitted anew without each fold of patients, or without whole hospitals, "
            "which is as near to another institution as this cohort comes. IBS: integrated Brier "
            "score.",
        ),
        StudyTable(
            "clinical-calibration",
            "Its calibration",
            calibration_table(calibrated, judged),
            "At the paper's one, three and five years.",
        ),
    ]


def _modern_tables(clinical: Clinical, settings: StudySettings) -> list[StudyTable]:
    stated = t.judged_of(clinical.stated_part, settings)
    risks = {name: one.risk() for name, one in clinical.stated.items()}
    pairs = [
        (f"{WHO}, {how}", risks[f"{WHO}, {how}"], f"clinical, {how}", risks[f"clinical, {how}"])
        for how in ("by patient", "by hospital")
    ]
    return [
        StudyTable(
            "modern",
            "Against WHO 2021, in patients whose state is known",
            t.ladder(clinical.stated, stated, {}),
            "Astrocytomas of grade 3 and 4 are taken together.",
        ),
        StudyTable(
            "modern-difference",
            "What WHO 2021 has over grade and histology",
            difference_table(pairs, stated),
            "Paired bootstrap by patient, and Kang's compareC.",
        ),
    ]


def _external_table(lgg: Lgg, clinical: Clinical, settings: StudySettings) -> StudyTable:
    return StudyTable(
        "external",
        "Clinical models of TCGA-LGG in another institution",
        t.ladder(clinical.external, t.judged_of(lgg.external, settings), {}),
        "UCSF-PDGM's patients of grade 2 and 3 by WHO 2021; it does not give the histology of "
        "the microscope, so that age and grade stand for the clinical model. An empty cell: "
        "fewer than ten deaths, or fewer than ten patients seen alive beyond the horizon. "
        "There are no images of them here.",
    )


def imaged_tables(
    lgg: Lgg, clinical: Clinical, imaged: Imaged, settings: StudySettings
) -> list[StudyTable]:
    """What can be told with images."""
    risk = clinical.everyone["clinical, by patient"].risk()
    return [
        *_held_out_tables(lgg, imaged, settings),
        _group_table(lgg, imaged),
        StudyTable(
            "candidates",
            "Candidates that are known only of patients with images",
            t.imaged_candidates(lgg, imaged.crossed, risk),
            "One at a time, beside the cross-validated clinical risk: so few deaths carry no more; "
            "p not adjusted for their number. Codes of side and location come without a key. "
            "BraTS masks are three-dimensional expert segmentations of some of the same patients; "
            "enhancement is a tumour of which more than 0.1 mL enhances.",
        ),
        StudyTable(
            "sequences",
            "The search for the best sequence",
            t.sequence_table(imaged.crossed, imaged.apparent.signature.auc_of),
            "Short against long survival, cut at the median of the observed times; who left before "
            "it is not counted. Levene's test, forest and SVM, three folds within the patients at "
            "hand. One half is chance.",
        ),
        StudyTable(
            "features",
            "Features of the signature",
            t.feature_table(imaged.crossed),
            _signature_reading(imaged.crossed, imaged.apparent),
        ),
    ]


def _held_out_tables(lgg: Lgg, imaged: Imaged, settings: StudySettings) -> list[StudyTable]:
    held_out, judged = imaged.crossed.held_out, t.judged_of(lgg.imaged, settings)
    stated = t.judged_of(imaged.modern_part, settings)
    of = {name: one.predicted for name, one in held_out.items()}
    of_modern = {name: one.predicted for name, one in imaged.modern.held_out.items()}
    differences = _differences(of, judged, of_modern, stated)
    return [
        StudyTable(
            "beside-paper",
            "Harrell's C beside the paper's",
            t.beside_paper(imaged.apparent, held_out, judged),
            _beside_reading(lgg, imaged, differences),
        ),
        StudyTable(
            "held-out",
            "Patients with slices, held out",
            t.ladder(of, judged, {}),
            _held_out_reading(lgg),
        ),
        StudyTable(
            "held-out-modern",
            "The same, where the WHO 2021 state is known",
            t.ladder(of_modern, stated, {}),
        ),
        StudyTable(
            "differences", "What the signature adds", differences, _added_reading(differences)
        ),
        StudyTable(
            "calibration",
            "Calibration of the held-out predictions",
            calibration_table({name: of[name] for name in (CLINICAL, INTEGRATED_NAME)}, judged),
            "Of so few deaths, intervals are wide; an empty row: too few to tell.",
        ),
    ]


def _differences(
    of: Mapping[str, SurvivalPredictions],
    judged: Judged,
    of_modern: Mapping[str, SurvivalPredictions],
    stated: Judged,
) -> pd.DataFrame:
    risks = {name: one.risk() for name, one in {**of, **of_modern}.items()}
    added = [
        (INTEGRATED_NAME, risks[INTEGRATED_NAME], CLINICAL, risks[CLINICAL]),
        (BOTH, risks[BOTH], CLINICAL, risks[CLINICAL]),
    ]
    modern = [(WHO_BOTH, risks[WHO_BOTH], WHO, risks[WHO])]
    return pd.concat(
        [difference_table(added, judged), difference_table(modern, stated)], ignore_index=True
    )


def _group_table(lgg: Lgg, imaged: Imaged) -> StudyTable:
    every: dict[str, HeldOut] = {**imaged.crossed.held_out, **imaged.modern.held_out}
    followed = dict.fromkeys(imaged.crossed.held_out, lgg.imaged.followed)
    followed |= dict.fromkeys(imaged.modern.held_out, imaged.modern_part.followed)
    return StudyTable(
        "groups",
        "Two groups, cut at the median risk of the training patients",
        t.group_table(every, followed),
        "The cut never sees the patient who is put into a group.",
    )


def _beside_reading(lgg: Lgg, imaged: Imaged, differences: pd.DataFrame) -> str:
    row = differences[
        (differences["model"] == INTEGRATED_NAME) & (differences["patients"] == "all")
    ].iloc[0]
    deaths = lgg.imaged.followed.events
    coefficients = sum(len(term.columns) for term in imaged.integrated.terms)
    return (
        "The paper compares age, histology and signature with age, grade, histology and "
        "enhancement; here enhancement is not known of all. “The same patients” is what the paper "
        "calls internal validation: fitted to those in whom it is judged. Held out, the "
        f"integrated model differs from the clinical one by {row['difference of C']}, p "
        f"{row['p (bootstrap)']}; the paper says .865 against .796, p .005. {deaths} deaths for "
        f"{coefficients} coefficients of the integrated model would be "
        f"{deaths / coefficients:.0f} for each, below the usual ten: which is why held-out models "
        "take the weights of age and histology from all of TCGA-LGG (each group with its own "
        "baseline hazard) and only the signature's from these patients."
    )


def _added_reading(differences: pd.DataFrame) -> str:
    everyone = differences[differences["patients"] == "all"].set_index("model")
    against, gain = (dict(everyone[name]) for name in ("compared with", "difference of C"))
    words = "; ".join(f"to {against[name]}, {gain[name]}" for name in (BOTH, WHO_BOTH))
    helps = any("(+" in gain[name] for name in (BOTH, WHO_BOTH))
    return (
        "The integrated model also gives up grade, so that what the signature itself does is seen "
        f"where it is added: {words}. "
        + (
            "It helps."
            if helps
            else "In these patients it does not help, neither beside grade and histology nor "
            "beside the WHO 2021 state."
        )
        + " Paired bootstrap by patient, and Kang's compareC; p not adjusted for their number."
    )


def _held_out_reading(lgg: Lgg) -> str:
    followed = lgg.imaged.followed
    words = "; ".join(
        f"at {months:g} months {int((followed.event & (followed.months <= months)).sum())} had "
        f"died and {int((followed.months > months).sum())} were seen alive later"
        for months in t.HORIZONS
    )
    return f"An AUC needs ten of either: {words}. Where there are fewer the cell is empty."


def _signature_reading(crossed: Crossed, found: Apparent) -> str:
    empty, every = t.empty_scores(crossed)
    kept = 0 if found.signature.is_empty else len(found.signature.net.features)
    whole = (
        f"In all the patients together it keeps {kept} of the ten from {found.signature.sequence}."
        if kept
        else "In all the patients together it keeps none: there is no signature to hand on."
    )
    return (
        f"In {empty} of {every} training parts the elastic net finds that no feature is worth "
        f"having, and the signature is 0 for everybody. {whole}"
    )


def permuted(lgg: Lgg, crossed: Crossed, settings: StudySettings) -> StudyTable:
    table = t.permuted_table(lgg, crossed, settings)
    count = int(table["permutations"].iloc[-1])
    return StudyTable(
        "permuted",
        "Negative control: outcomes dealt out at random",
        table,
        "Search, selection and score are made again for each permutation, with the smaller forest; "
        "only the last row has a control of its own. Pairs are of one fold, so that both are asked "
        f"of one signature. Mean and 95 % of the permutations; p: how often they reach the C of "
        f"the true outcomes; {count} permutations cannot give less than {1 / (count + 1):.2f}, so "
        "that they show a leak, not an effect. What the rows of the true outcomes differ by is the "
        "forest and the deal into folds: with so few deaths, neither is a finding.",
    )


def figures(
    lgg: Lgg,
    clinical: Clinical,
    imaged: Imaged,
    drawn: Mapping[str, Nomogram],
    settings: StudySettings,
) -> tuple[StudyFigure, ...]:
    everyone, followed = t.judged_of(lgg.everyone, settings), lgg.imaged.followed
    shown = {"clinical, by hospital": clinical.everyone["clinical, by hospital"]}
    groups = {name: imaged.crossed.held_out[name] for name in (INTEGRATED_NAME, CLINICAL)}
    return (
        StudyFigure(
            "clinical-nomogram",
            "Clinical nomogram of lower-grade glioma (TCGA-LGG)",
            partial(nomogram, drawn["clinical"]),
            True,
        ),
        StudyFigure(
            "integrated-nomogram",
            "Nomogram in the paper's form: age, histology and signature (for comparison only)",
            partial(nomogram, drawn["integrated"]),
            True,
        ),
        *(
            StudyFigure(
                f"{name}-groups",
                f"Held-out patients with slices by the {name} model",
                partial(_group_figure, one, followed, name),
                name == INTEGRATED_NAME,
            )
            for name, one in groups.items()
        ),
        StudyFigure(
            "calibration",
            "Calibration of the clinical model, whole hospitals left out",
            partial(calibration, shown, everyone),
            True,
        ),
    )


def _group_figure(held_out: HeldOut, followed: Outcome, name: str, file: Path) -> None:
    from gliomaai_training.survival.kaplan_meier import kaplan_meier, log_rank
    from gliomaai_training.survival.survival_figures import KaplanMeierPlan, kaplan_meier_figure

    groups = t.groups_of(held_out, followed)
    curves = [kaplan_meier(one, group) for group, one in groups.items()]
    test = log_rank(groups) if len(groups) > 1 else None
    plan = KaplanMeierPlan(f"TCGA-LGG, {name} model, held out", test, END_MONTHS)
    kaplan_meier_figure(curves, file, plan)
