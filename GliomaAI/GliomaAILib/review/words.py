"""Words that come from elsewhere and are shown: collected here so that they are translated."""

from GliomaAILib.review.message import Message, translate

WORDS = (
    # Stages of work.
    translate("GliomaAI", "reading"),
    translate("GliomaAI", "brain mask"),
    translate("GliomaAI", "registration"),
    translate("GliomaAI", "bias field"),
    translate("GliomaAI", "resampling"),
    translate("GliomaAI", "checks"),
    translate("GliomaAI", "segmentation"),
    translate("GliomaAI", "measures"),
    translate("GliomaAI", "write results"),
    translate("GliomaAI", "training case"),
    translate("GliomaAI", "volumes"),
    translate("GliomaAI", "simulation"),
    translate("GliomaAI", "handing over"),
    translate("GliomaAI", "reading results"),
    translate("GliomaAI", "showing the result"),
    translate("GliomaAI", "copying"),
    translate("GliomaAI", "writing the segmentation"),
    translate("GliomaAI", "writing the surfaces"),
    translate("GliomaAI", "writing the scene; the window stands still until it is done"),
    translate("GliomaAI", "moving in"),
    # What may be known of a patient.
    translate("GliomaAI", "F"),
    translate("GliomaAI", "M"),
    translate("GliomaAI", "none"),
    translate("GliomaAI", "biopsy"),
    translate("GliomaAI", "subtotal"),
    translate("GliomaAI", "gross total"),
    translate("GliomaAI", "mutant"),
    translate("GliomaAI", "wild-type"),
    translate("GliomaAI", "co-deleted"),
    translate("GliomaAI", "intact"),
    # Where a tumour lies.
    translate("GliomaAI", "left"),
    translate("GliomaAI", "right"),
    translate("GliomaAI", "both"),
    translate("GliomaAI", "frontal"),
    translate("GliomaAI", "parietal"),
    translate("GliomaAI", "temporal"),
    translate("GliomaAI", "occipital"),
    translate("GliomaAI", "insula"),
    translate("GliomaAI", "deep grey matter"),
    translate("GliomaAI", "corpus callosum"),
    translate("GliomaAI", "cerebellum"),
    translate("GliomaAI", "brainstem"),
    # What a tumour may be, and what an estimate rests on.
    translate("GliomaAI", "Glioblastoma, IDH-wildtype"),
    translate("GliomaAI", "Astrocytoma, IDH-mutant, grade 2"),
    translate("GliomaAI", "Astrocytoma, IDH-mutant, grade 3"),
    translate("GliomaAI", "Astrocytoma, IDH-mutant, grade 4"),
    translate("GliomaAI", "Oligodendroglioma, grade 2"),
    translate("GliomaAI", "Oligodendroglioma, grade 3"),
    translate("GliomaAI", "IDH-wildtype glioma, NEC"),
    translate("GliomaAI", "Glioblastoma under the microscope"),
    translate("GliomaAI", "IDH-mutant"),
    translate("GliomaAI", "1p/19q co-deleted"),
    translate("GliomaAI", "Grade 2"),
    translate("GliomaAI", "Grade 3"),
    translate("GliomaAI", "Grade 4"),
    translate("GliomaAI", "Clinical facts alone"),
    translate("GliomaAI", "Clinical facts and imaging"),
    translate("GliomaAI", "Network, images alone"),
    translate("GliomaAI", "before surgery"),
    translate("GliomaAI", "after surgery"),
    translate("GliomaAI", "Lowest third of risk"),
    translate("GliomaAI", "Middle third"),
    translate("GliomaAI", "Highest third"),
)


def word(text: str) -> Message:
    """A word of `WORDS`; any other is shown as it is."""
    return Message(text) if text in WORDS else Message("{text}", {"text": text})
