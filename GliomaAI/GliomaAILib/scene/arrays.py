"""Arrays of VTK as arrays of numpy, and back. Voxels are (k, j, i), matrices RAS mm."""

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk, vtk_to_numpy

from GliomaAILib.scene.port import SceneError

_PLAIN = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""Voxel types that VTK and raw NRRD files share."""


def matrix_of(array: NDArray[np.float64]) -> Any:
    """A vtkMatrix4x4 from a (4, 4) array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([float(value) for value in array.ravel()])
    return matrix


def array_of(matrix: Any) -> NDArray[np.float64]:
    """A (4, 4) array from a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def to_world(node: Any) -> NDArray[np.float64]:
    """(4, 4) from a node's own coordinates to those of the patient in the scene, RAS mm.

    Raises:
        SceneError: a transform above the node is not linear.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not (transform.IsTransformToWorldLinear() and transform.GetMatrixTransformToWorld(matrix)):
        raise SceneError(
            f"'{node.GetName()}' lies under a transform that is not linear: harden the transform "
            "(Transforms module), or take the volume out of it."
        )
    return array_of(matrix)


def local_ijk_to_ras(volume: Any) -> NDArray[np.float64]:
    """(4, 4) of a volume node's voxels, without the transforms above it."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return array_of(matrix)


def voxels(image: Any) -> NDArray[np.generic]:
    """The voxels of a vtkImageData, shared with it; one value a voxel.

    Raises:
        SceneError: there are none, or more than one value a voxel.
    """
    scalars = image.GetPointData().GetScalars() if image is not None else None
    if scalars is None or scalars.GetNumberOfTuples() == 0:
        raise SceneError("there are no voxels in it")
    if scalars.GetNumberOfComponents() != 1:
        raise SceneError("it is a colour or vector volume, not a sequence")
    array: NDArray[np.generic] = vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])
    return array


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """A copy whose type can be passed on: values are kept, up to the precision of float32 or
    float64 where no type holds them all."""
    return np.array(array, dtype=_plain_type(array), order="C")


def _plain_type(array: NDArray[Any]) -> np.dtype[Any]:
    if array.dtype == np.float16:
        return np.dtype(np.float32)
    native = array.dtype.newbyteorder("=")
    if native.name in _PLAIN:
        return native
    if array.dtype.kind in "iub":
        low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
        for kind in (np.int16, np.int32, np.uint32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
    return np.dtype(np.float64)


def fill_image(image: Any, array: NDArray[Any]) -> None:
    """Gives a vtkImageData the voxels of an array, as a copy; its extent must have the shape."""
    suited = np.ascontiguousarray(array, dtype=_plain_type(array))
    scalars = numpy_to_vtk(suited.ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)


def empty_image(array: NDArray[Any]) -> Any:
    """A vtkImageData that an array fits into; what is in it is left open, which takes no time."""
    image = vtk.vtkImageData()
    image.SetDimensions(*reversed(array.shape))
    image.AllocateScalars(get_vtk_array_type(_plain_type(array)), 1)
    return image


def copy_voxels(array: NDArray[Any], image: Any) -> None:
    """Copies an array into an image; long, but without the interpreter's lock."""
    np.copyto(voxels(image), array, casting="same_kind")
