"""Diagnosis and prognosis of an assessment, from its facts and its mask as they are now."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.statistical_packs import DiagnosisPack, Inputs, PrognosisPack
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.survival.terms import Value
from GliomaAILib.assessment import covariates
from GliomaAILib.assessment.assess import sorted_findings
from GliomaAILib.assessment.assessment import Assessment, PackUse
from GliomaAILib.assessment.diagnosis import NoSuchStateError, estimate_diagnosis, tissue_known
from GliomaAILib.assessment.estimates import Diagnosis, Estimates, NetworkEstimate, Prognosis
from GliomaAILib.assessment.network import estimate_network, network_findings
from GliomaAILib.assessment.prognosis import PatientKnowledge, estimate_prognosis
from GliomaAILib.intake.facts import ClinicalFacts

DIAGNOSIS, PROGNOSIS = "diagnosis", "prognosis"
PARTS = (DIAGNOSIS, PROGNOSIS)
NETWORK = "network"
NO_TUMOUR = "No tumour was found: there is nothing to estimate."
NOT_INSTALLED: Mapping[str, str] = {
    DIAGNOSIS: "No model pack that predicts the molecular type is installed.",
    PROGNOSIS: "No model pack that estimates survival is installed.",
}

Patient = dict[str, Value]


@dataclass(frozen=True)
class EstimateModels:
    """The packs of statistical models that are installed."""

    diagnosis: DiagnosisPack | None = None
    prognosis: PrognosisPack | None = None
    problems: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By `PARTS`: why a pack that is there cannot be used."""
    network: TaskReader | None = None
    """The heads of the network that read the study, where it has any."""


def without_estimates(assessment: Assessment) -> Assessment:
    """The assessment without what models said of an earlier mask or of other facts."""
    codes = tuple(f"{part}." for part in (*PARTS, NETWORK))
    kept = tuple(f for f in assessment.findings if not f.code.startswith(codes))
    origin = assessment.provenance
    # The packs of statistical models are called by what they estimate.
    packs = tuple(pack for pack in origin.model_packs if pack.name not in PARTS)
    return dataclasses.replace(
        assessment,
        estimates=Estimates(),
        findings=kept,
        provenance=dataclasses.replace(origin, model_packs=packs),
    )


def estimated(assessment: Assessment, models: EstimateModels) -> Assessment:
    """The assessment with diagnosis and prognosis; no network runs.

    What cannot be estimated is left out, and `Estimates.absent` says why.
    """
    bare = without_estimates(assessment)
    findings = list(_pack_findings(models))
    if bare.measures.volumes_ml["WT"] == 0:
        has_heads = bare.features is not None or bare.no_features
        parts = (*PARTS, NETWORK) if has_heads else PARTS
        estimates = Estimates(absent=dict.fromkeys(parts, NO_TUMOUR))
    else:
        estimates = _with_network(_estimates(bare, models, findings), bare, models.network)
        findings += _extrapolations(estimates)
        findings += network_findings(estimates.network)
    packs = (*bare.provenance.model_packs, *_packs_used(estimates, models))
    return dataclasses.replace(
        bare,
        estimates=estimates,
        findings=sorted_findings((*bare.findings, *findings)),
        provenance=dataclasses.replace(bare.provenance, model_packs=tuple(dict.fromkeys(packs))),
    )


def _estimates(
    assessment: Assessment, models: EstimateModels, findings: list[Finding]
) -> Estimates:
    patient = covariates.of_facts(assessment.facts)
    patient |= covariates.of_measures(assessment.measures, assessment.labels)
    absent: dict[str, str] = {}
    diagnosis = plain = prognosis = None
    try:
        measured = patient | _radiomics(assessment, DIAGNOSIS, models.diagnosis, findings)
        said = estimate_diagnosis(measured, assessment.facts, models.diagnosis)
        if isinstance(said, Diagnosis):
            diagnosis = said
            findings += _against_tissue(said)
            plain = _from_facts(said, patient, assessment.facts, models.diagnosis)
        else:
            absent[DIAGNOSIS] = said or _not_installed(DIAGNOSIS, models)
    except NoSuchStateError as error:
        absent[DIAGNOSIS] = str(error)
        findings.append(_contradiction(error))
    if models.prognosis is None:
        absent[PROGNOSIS] = _not_installed(PROGNOSIS, models)
    else:
        patient |= _radiomics(assessment, PROGNOSIS, models.prognosis, findings)
        age_years = assessment.facts.age_years
        known = PatientKnowledge(
            by_facts=covariates.of_diagnosis(plain, age_years) | patient,
            by_images=covariates.of_diagnosis(diagnosis, age_years) | patient,
            tissue=tissue_known(assessment.facts),
        )
        found = estimate_prognosis(known, models.prognosis)
        if isinstance(found, Prognosis):
            prognosis = found
        else:
            absent[PROGNOSIS] = found
    return Estimates(diagnosis, prognosis, absent=absent)


def _with_network(
    estimates: Estimates, assessment: Assessment, reader: TaskReader | None
) -> Estimates:
    """What the network says stands beside the others, and changes nothing of them."""
    said = estimate_network(assessment, reader)
    if isinstance(said, NetworkEstimate):
        return dataclasses.replace(estimates, network=said)
    absent = {**estimates.absent, NETWORK: said} if said else estimates.absent
    return dataclasses.replace(estimates, absent=absent)


def _from_facts(
    diagnosis: Diagnosis, patient: Patient, facts: ClinicalFacts, pack: DiagnosisPack | None
) -> Diagnosis | None:
    """The diagnosis as it is without images, if any model can do without."""
    if diagnosis.model is None or diagnosis.model.inputs == Inputs.CLINICAL or pack is None:
        return diagnosis
    modest = tuple(one for one in pack.models if Inputs.of(one.covariates) is Inputs.CLINICAL)
    said = estimate_diagnosis(patient, facts, dataclasses.replace(pack, models=modest))
    return said if isinstance(said, Diagnosis) else None


def _not_installed(part: str, models: EstimateModels) -> str:
    return models.problems.get(part, NOT_INSTALLED[part])


def _radiomics(
    assessment: Assessment,
    part: str,
    pack: DiagnosisPack | PrognosisPack | None,
    findings: list[Finding],
) -> Patient:
    if pack is None:
        return {}
    try:
        return covariates.of_radiomics(
            assessment.prepared, assessment.labels, pack.covariates, pack.radiomics
        )
    except ValueError as error:
        message = f"Radiomics for the {part} could not be measured: {error}."
        findings.append(
            Finding(
                f"{part}.radiomics",
                Severity.WARNING,
                message,
                "Models that need them are not used.",
            )
        )
        return {}


def _pack_findings(models: EstimateModels) -> Iterator[Finding]:
    for part, problem in models.problems.items():
        yield Finding(
            f"{part}.pack",
            Severity.WARNING,
            f"There is no {part}: {problem}.",
            "Install the model pack again.",
        )


def _contradiction(error: NoSuchStateError) -> Finding:
    return Finding(
        f"{DIAGNOSIS}.contradiction",
        Severity.WARNING,
        f"{error}.",
        "Check the clinical facts; without a WHO state its models are not used.",
    )


UNLIKELY = 0.05
"""Tissue that leaves the model's states only so much is said to speak against the images."""


def _against_tissue(diagnosis: Diagnosis) -> Iterator[Finding]:
    if diagnosis.model is not None and diagnosis.left_by_tissue < UNLIKELY:
        yield Finding(
            f"{DIAGNOSIS}.against_tissue",
            Severity.WARNING,
            "Facts and images speak against the tissue: to the states that it leaves, "
            f"{diagnosis.model.name} gives {100 * diagnosis.left_by_tissue:.1f} %.",
            "Check the tissue facts and the segmentation.",
        )


def _extrapolations(estimates: Estimates) -> Iterator[Finding]:
    """What the models' cohorts did not hold: said here alone, once for each estimate."""
    diagnosis, prognosis = estimates.diagnosis, estimates.prognosis
    of_survival = () if prognosis is None else prognosis.estimates
    said = {
        DIAGNOSIS: diagnosis.extrapolated if diagnosis else (),
        PROGNOSIS: tuple(text for one in of_survival for text in one.extrapolated),
    }
    for part, texts in said.items():
        values: dict[str, str] = {}
        for text in texts:
            # Models of one estimate may have seen different ranges; the first's is enough.
            values.setdefault(text.partition(":")[0], text)
        if values:
            yield Finding(
                f"{part}.extrapolated",
                Severity.WARNING,
                f"The {part} goes beyond its model's patients ({'; '.join(values.values())}).",
                "Take it for a guess.",
            )


def _packs_used(estimates: Estimates, models: EstimateModels) -> Iterator[PackUse]:
    used = (
        (estimates.diagnosis is not None and estimates.diagnosis.model, models.diagnosis),
        (estimates.prognosis, models.prognosis),
    )
    for said, pack in used:
        if said and pack is not None:
            yield PackUse(pack.pack.name, pack.pack.version, pack.pack.sha256)
