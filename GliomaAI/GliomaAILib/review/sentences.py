"""Sentences of findings that are the same for every patient: here so that they are translated.

A sentence that holds names or numbers of a case stays as the analysis said it.
"""

from GliomaAILib.review.message import Message, translate, verbatim

SENTENCES = frozenset(
    {
        # Of a study that is read.
        translate("GliomaAI", "Check that no sequence was exported under another's name."),
        translate(
            "GliomaAI",
            "Check where they lie; convert the image again if they are inside the brain.",
        ),
        translate(
            "GliomaAI", "Export all slices of the series, or use a series that covers the head."
        ),
        translate(
            "GliomaAI",
            "Convert it again from DICOM; check left and right on the pictures of the report.",
        ),
        translate("GliomaAI", "Convert it again from DICOM; do not trust left and right."),
        # Of images that are prepared.
        translate(
            "GliomaAI",
            "Look at this series: another patient, another body part or heavy artefacts?",
        ),
        translate(
            "GliomaAI",
            "Check the mask; a field of view that cuts the brain also gives a small volume.",
        ),
        translate("GliomaAI", "Check the co-registration and the mask of these two sequences."),
        translate("GliomaAI", "Install the brain mask pack, or give skull-stripped images."),
        translate("GliomaAI", "No brain was found in the images."),
        translate(
            "GliomaAI", "Check that these are MR images of a head, in the right orientation."
        ),
        translate("GliomaAI", "Use the brain mask network."),
        translate(
            "GliomaAI", "Check the file's orientation; if it is wrong, so are all places and sides."
        ),
        translate("GliomaAI", "None of the images can be used."),
        translate("GliomaAI", "Export the series again, or choose others."),
        translate(
            "GliomaAI", "Check that all series show the same patient's head; leave out wrong ones."
        ),
        translate("GliomaAI", "Export the series again if they lie inside the head."),
        translate("GliomaAI", "Export the series again."),
        translate("GliomaAI", "Check that the right file was chosen."),
        translate("GliomaAI", "Export the original intensities if there are any."),
        translate("GliomaAI", "Give the image as acquired."),
        translate(
            "GliomaAI", "Tumour outside its field of view is judged from the other sequences alone."
        ),
        translate("GliomaAI", "Choose the right series for each sequence."),
        translate("GliomaAI", "Prefer series with slices of 1 to 3 mm if there are any."),
        translate("GliomaAI", "Look at this series; repeat it or leave it out if it shows little."),
        translate("GliomaAI", "Tumour beyond it is not seen; volumes may be too small."),
        # Of a result.
        translate(
            "GliomaAI", "Check the clinical facts; without a WHO state its models are not used."
        ),
        translate("GliomaAI", "Install the model pack again."),
        translate("GliomaAI", "Check the tissue facts and the segmentation."),
        translate("GliomaAI", "Models that need them are not used."),
        translate("GliomaAI", "Take it for a guess."),
        translate("GliomaAI", "Do not read anything about this patient from them."),
        translate("GliomaAI", "No tumour was found."),
        translate("GliomaAI", "Look at the images: small or faint lesions can be missed."),
        translate(
            "GliomaAI", "The tumour touches the border of the images: part of it may lie outside."
        ),
        translate("GliomaAI", "Take volumes and diameters as lower bounds."),
        translate("GliomaAI", "Look at the place on all sequences."),
        translate("GliomaAI", "Check the sequences and the segmentation before using any measure."),
        translate("GliomaAI", "Check borders and labels against the images."),
        translate(
            "GliomaAI",
            "Without T1Gd, enhancing tumour (ET) and core (TC) are guesses from other sequences.",
        ),
        translate("GliomaAI", "Rely on the whole tumour (WT) only, or add a contrast-enhanced T1."),
        translate(
            "GliomaAI",
            "The brain could not be laid on the ICBM152 template: lobe, template coordinates "
            "and distance to the ventricles are not given.",
        ),
        translate("GliomaAI", "The side is taken from the brain's outline."),
        translate("GliomaAI", "Thick slices make both uncertain by about that much."),
        translate(
            "GliomaAI",
            "Check each part: this is multicentric growth, another disease, or a mistake.",
        ),
    }
)
"""A test holds them against the findings of both packages."""


def sentence(text: str) -> Message:
    """A sentence of a finding, to be translated where it is one of `SENTENCES`."""
    return Message(text) if text in SENTENCES else verbatim(text)
