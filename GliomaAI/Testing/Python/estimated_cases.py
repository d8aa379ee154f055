"""Patients of whom estimates are made, and how."""

import json
from dataclasses import replace

import jsonschema

from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimate import EstimateModels, estimated
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.document import Document, assessment_document, document_bytes, schema

WOMAN = ClinicalFacts(60.0, "F")


KNOWN = ClinicalFacts(45.0, "M", idh="mutant", codeletion_1p19q="intact", grade=3)


PARTLY = ClinicalFacts(45.0, "M", idh="mutant")


def of(bare: Assessment, facts: ClinicalFacts, models: EstimateModels) -> Assessment:
    return estimated(replace(bare, facts=facts), models)


def document_of(assessment: Assessment) -> Document:
    """As it comes out of its file, checked."""
    document: Document = json.loads(document_bytes(assessment_document(assessment)))
    jsonschema.validate(document, schema())
    return document
