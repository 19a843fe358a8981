"""The files inside packages, and inside what these contain: Debian's, wheels, NuGet's,
crates, tar and zip archives, compressed files."""
import gzip
import io
import pathlib
import subprocess
import tarfile
import zipfile

ZIPS = (".whl", ".nupkg", ".snupkg", ".zip")
TARS = (".tar.gz", ".tgz", ".crate", ".tar", ".tar.xz")


def _tar(stream, name):
    with tarfile.open(fileobj=stream) as archive:
        for member in archive:
            if member.isfile():
                yield from contents(f"{name}/{member.name}", archive.extractfile(member).read())
            else:
                yield f"{name}/{member.name}", member.linkname.encode()


def _deb(data, name):
    # dpkg-deb reads a file, whose compression it knows.
    for option in ("--ctrl-tarfile", "--fsys-tarfile"):
        tar = subprocess.run(["dpkg-deb", option, "/dev/stdin"], input=data, check=True,
                             capture_output=True).stdout
        yield from _tar(io.BytesIO(tar), name)


def contents(name, data):
    """(name, bytes) of a file and of all that is in it, the names with the way to them."""
    yield name, data
    if name.endswith(".deb"):
        yield from _deb(data, name)
    elif name.endswith(ZIPS):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from contents(f"{name}/{member}", archive.read(member))
    elif name.endswith(TARS):
        yield from _tar(io.BytesIO(data), name)
    elif name.endswith(".gz"):
        yield name[:-3], gzip.decompress(data)


def artefacts(folder):
    """The files of a release's folder, in order."""
    return sorted(path for path in pathlib.Path(folder).iterdir() if path.is_file())
