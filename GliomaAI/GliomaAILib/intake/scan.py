"""Finds what a folder holds: DICOM images, image files, and the rest, which is left alone."""

from dataclasses import dataclass
from pathlib import Path

from GliomaAILib.intake.errors import StudyError

FILE_FORMATS = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
}

FLAT_IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif"})

BARE_DICOM_STARTS = (
    b"\x08\x00\x00\x00",
    b"\x08\x00\x05\x00",
    b"\x08\x00\x01\x00",
    b"\x08\x00\x08\x00",
    b"\x02\x00\x00\x00",
)
"""First bytes of a DICOM file that lacks the 128-byte preamble."""


@dataclass(frozen=True)
class Scan:
    """The files of a study folder, by kind, sorted by path."""

    root: Path
    dicom: tuple[Path, ...]
    images: tuple[Path, ...]
    flat_images: tuple[Path, ...]
    others: int

    def relative(self, path: Path) -> str:
        """A path as it may be shown: relative to the study folder, else the bare name."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        )


def scan(place: Path) -> Scan:
    """Lists a folder recursively, or takes one file; a DICOM slice stands for its folder.

    Raises:
        StudyError: the place does not exist.
    """
    place = place.expanduser()
    if not place.exists():
        raise StudyError(f"'{place.name}' does not exist. Give a study folder or an image file.")
    if place.is_file():
        if image_format(place) is None and is_dicom(place):
            place = place.parent
        else:
            return _sort_out(place.parent, [place])
    paths = sorted(path for path in place.rglob("*") if path.is_file())
    return _sort_out(place, [path for path in paths if not _hidden(path, place)])


def image_format(path: Path) -> str | None:
    """The volume format that a file's name announces, or None."""
    name = path.name.lower()
    return next((kind for end, kind in FILE_FORMATS.items() if name.endswith(end)), None)


def stem(path: Path) -> str:
    """The file's name without a volume format's ending."""
    name = path.name
    for end in sorted(FILE_FORMATS, key=len, reverse=True):
        if name.lower().endswith(end):
            return name[: -len(end)]
    return path.stem


def is_dicom(path: Path) -> bool:
    """Whether the file's first bytes are those of a DICOM file."""
    if path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as file:
        start = file.read(132)
    return start[128:132] == b"DICM" or start[:4] in BARE_DICOM_STARTS


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(root).parts)


def _sort_out(root: Path, paths: list[Path]) -> Scan:
    images = [path for path in paths if image_format(path)]
    flat = [path for path in paths if path.suffix.lower() in FLAT_IMAGE_SUFFIXES]
    rest = [path for path in paths if path not in set(images) | set(flat)]
    dicom = [path for path in rest if is_dicom(path)]
    return Scan(root, tuple(dicom), tuple(images), tuple(flat), len(rest) - len(dicom))
