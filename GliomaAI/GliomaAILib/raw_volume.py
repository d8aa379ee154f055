"""Volumes between Slicer's process and the worker: plain arrays, written as raw NRRD files.

Nothing but numpy is imported, and reading or writing one holds the interpreter's lock for a moment
only, so that a window stays alive beside it.
"""

import itertools
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_TYPES = {
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
    "uint32": "uint32",
    "int32": "int32",
    "float32": "float",
    "float64": "double",
}
"""Names of the NRRD format (teem.sourceforge.net/nrrd/format.html) by numpy's."""


@dataclass(frozen=True, eq=False)
class RawVolume:
    """A scalar volume with its place in the patient."""

    array: NDArray[np.generic]
    """(k, j, i)"""
    ijk_to_ras: NDArray[np.float64]
    """(4, 4), of voxel centres, mm."""

    def same_grid(self, other: "RawVolume", tolerance_mm: float = 1e-3) -> bool:
        """Whether both have the same voxels, up to `tolerance_mm` at every corner."""
        if self.array.shape != other.array.shape:
            return False
        ends = [(0, n - 1) for n in reversed(self.array.shape)]
        corners = np.array(np.meshgrid(*ends, [1])).reshape(4, -1)
        distance_mm = (self.ijk_to_ras - other.ijk_to_ras) @ corners
        return bool(np.abs(distance_mm).max() <= tolerance_mm)


def write_raw(volume: RawVolume, file: Path) -> None:
    """Writes an uncompressed NRRD file.

    Raises:
        ValueError: the voxel type has no name in NRRD, or the array is no volume.
        OSError: it cannot be written.
    """
    array = np.ascontiguousarray(volume.array)
    kind = _TYPES.get(array.dtype.newbyteorder("=").name)
    if kind is None or array.ndim != 3:
        raise ValueError(f"{array.dtype} voxels in {array.ndim} dimensions cannot be written")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    columns = volume.ijk_to_ras[:3, :3].T
    header = [
        "NRRD0004",
        f"type: {kind}",
        "dimension: 3",
        "space: right-anterior-superior",
        "sizes: " + " ".join(str(n) for n in reversed(array.shape)),
        "space directions: " + " ".join(_vector(column) for column in columns),
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        "space origin: " + _vector(volume.ijk_to_ras[:3, 3]),
    ]
    with file.open("wb") as stream:
        stream.write(("\n".join(header) + "\n\n").encode("ascii"))
        stream.write(little.data.cast("B"))


def read_raw(file: Path) -> RawVolume:
    """Reads a file that `write_raw` wrote.

    Raises:
        ValueError: it is another file, or cut short.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        try:
            fields = _header(stream)
            names = {kind: name for name, kind in _TYPES.items()}
            dtype = np.dtype(names[fields["type"]]).newbyteorder("<")
            shape = tuple(int(n) for n in reversed(fields["sizes"].split()))
            array = _voxels(stream, shape, dtype)
            matrix = np.eye(4)
            matrix[:3, :3] = np.array([_values(v) for v in fields["space directions"].split()]).T
            matrix[:3, 3] = _values(fields["space origin"])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{file.name} is no volume of this program, or it is cut short"
            ) from error
    return RawVolume(array, matrix)


def _header(stream: BinaryIO) -> dict[str, str]:
    """The fields before the first empty line."""
    lines = (line.decode("ascii", "replace").strip() for line in iter(stream.readline, b""))
    return dict(line.split(": ", 1) for line in itertools.takewhile(bool, lines) if ": " in line)


def _voxels(
    stream: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """Reads straight into the array: a copy of the bytes would hold the interpreter's lock."""
    size = math.prod(shape) * dtype.itemsize
    if os.fstat(stream.fileno()).st_size - stream.tell() != size:
        raise ValueError(f"there are not {shape} voxels")
    array = np.empty(shape, dtype)
    if stream.readinto(array.data.cast("B")) != size:  # type: ignore[attr-defined]
        raise ValueError("the file was cut short while it was read")
    return array


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _values(text: str) -> list[float]:
    return [float(value) for value in text.strip("()").split(",")]
