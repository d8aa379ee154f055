"""What a multi-task network's heads read: coarse feature maps of one pass, and where they lie.

They are all that is needed to answer the tasks anew for another mask: about a megabyte, kept beside
the result, so that a correction is reassessed without the network's large part.
"""

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.preprocessing.coarsening import block_means
from gliomaai_training.vocabulary import Label

Shape = tuple[int, int, int]

FORMAT = 1
"""Of the bytes; a reader refuses what it does not know."""


@dataclass(frozen=True)
class SeenGrid:
    """How the voxels that the network saw come from the common grid; shapes are (z, y, x)."""

    grid: Shape
    """The common grid."""
    begin: Shape
    """Where the crop begins in it."""
    crop: Shape
    """The crop's voxels; where it goes beyond the grid it was padded."""
    read: Shape
    """The network's voxels over the crop's extent."""
    padded: Shape
    """With the padding to the network's stride, at the ends."""

    def __post_init__(self) -> None:
        for part in (self.grid, self.begin, self.crop, self.read, self.padded):
            if len(part) != 3:
                raise ValueError(f"{part} are no three axes")
        inside = all(0 <= b < n for b, n in zip(self.begin, self.grid, strict=True))
        fits = all(1 <= r <= p for r, p in zip(self.read, self.padded, strict=True))
        if not inside or not fits or min(self.crop) < 1:
            raise ValueError(f"{self} is no crop of a grid")


@dataclass(frozen=True, eq=False)
class TaskFeatures:
    """The feature maps that the heads of one network pool, of one study."""

    maps: tuple[NDArray[np.float16], NDArray[np.float16]]
    """(C, z, y, x) each, the coarsest first, over the extent of `seen.padded`."""
    seen: SeenGrid
    pack_sha256: str
    """Of the pack whose heads can read them."""

    def __post_init__(self) -> None:
        for one in self.maps:
            sizes = zip(one.shape[1:], self.seen.padded, strict=False)
            if one.ndim != 4 or any(n < 1 or whole % n for n, whole in sizes):
                raise ValueError(f"maps of shape {one.shape} do not fit {self.seen.padded}")

    def mask(self, labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """A mask as shares of the voxels that the network saw.

        Args:
            labels: `vocabulary.Label` values (k, j, i) on the common grid; what lies outside the
                crop has no features and does not count.

        Returns:
            (4, *seen.padded), summing to 1 in every voxel.

        Raises:
            ValueError: the labels lie on another grid.
        """
        seen = self.seen
        if labels.shape != seen.grid:
            raise ValueError(f"labels of shape {labels.shape}, features of a study of {seen.grid}")
        box = tuple(slice(b, b + n) for b, n in zip(seen.begin, seen.crop, strict=True))
        cut = labels[box]
        parts = [label for label in Label if label != Label.BACKGROUND]
        tumour = np.zeros((len(parts), *seen.crop), np.float32)
        inside = (slice(None), *(slice(n) for n in cut.shape))
        tumour[inside] = np.stack([cut == label for label in parts])
        shares = tumour if seen.read == seen.crop else block_means(tumour, seen.read)
        mask = np.zeros((len(Label), *seen.padded), np.float32)
        depth, height, width = seen.read
        mask[1:, :depth, :height, :width] = shares
        mask[Label.BACKGROUND] = 1 - mask[1:].sum(axis=0)
        return mask

    def to_bytes(self) -> bytes:
        """As a file holds them."""
        stream = io.BytesIO()
        seen = np.array([getattr(self.seen, name) for name in SeenGrid.__dataclass_fields__])
        np.savez(
            stream,
            format=np.array(FORMAT),
            coarsest=self.maps[0],
            finer=self.maps[1],
            seen=seen,
            pack=np.frombuffer(self.pack_sha256.encode("ascii"), np.uint8),
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """As `to_bytes` gave them.

        Raises:
            ValueError: the bytes are damaged or of another version.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                if int(stored["format"]) != FORMAT:
                    raise ValueError(f"they have format {int(stored['format'])}, not {FORMAT}")
                maps = (stored["coarsest"], stored["finer"])
                seen = [tuple(int(n) for n in row) for row in stored["seen"]]
                pack = stored["pack"].tobytes().decode("ascii")
            if any(one.dtype != np.float16 for one in maps):
                raise ValueError("they are not in float16")
            return cls(maps, SeenGrid(*seen), pack)  # type: ignore[arg-type]
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"the features cannot be read: {error}") from error
