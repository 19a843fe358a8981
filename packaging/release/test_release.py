"""What release.sh relies on: leaks are found wherever they are, and the bill of materials says
what binaries are linked with. With BNQ_LIBRARY and BNQ_CLI, as every client's tests."""
import gzip
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import contents  # noqa: E402
import sbom  # noqa: E402


def run(script, *arguments, status=0):
    result = subprocess.run([sys.executable, HERE / script, *map(str, arguments)],
                            capture_output=True, text=True,
                            env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


def tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def test_leaks_are_found_in_files_of_files(tmp_path):
    tar(tmp_path / "a.tar.gz", {"man/bnq.1.gz": gzip.compress(b"made in /builder/tree, at h0\n")})
    with zipfile.ZipFile(tmp_path / "b.whl", "w") as archive:
        archive.write(tmp_path / "a.tar.gz", "inner/a.tar.gz")
        archive.writestr("code.so", b"\0\1h0\0")
    assert "found 0 times" in run("leaks.py", tmp_path, "/elsewhere", "host-name")
    found = run("leaks.py", tmp_path, "/builder/tree", status=1)
    assert "a.tar.gz/man/bnq.1: has '/builder/tree'" in found
    assert "b.whl/inner/a.tar.gz/man/bnq.1: has" in found
    # A short name is a word of a text, and nothing in a binary.
    found = run("leaks.py", tmp_path, "h0", status=1)
    assert "bnq.1: has 'h0'" in found and "code.so" not in found
    assert "found 0 times" in run("leaks.py", tmp_path, "tre")


def test_nothing_read_is_no_success(tmp_path):
    run("leaks.py", tmp_path, "text", status=1)


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb")
def test_debian_packages_are_read(tmp_path):
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m <m@m>\nDescription: d\n")
    (tree / "file").write_text("contents")
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "p.deb"], check=True,
                   capture_output=True)
    data = (tmp_path / "p.deb").read_bytes()
    found = dict(contents.contents("p.deb", data))
    assert found["p.deb/./file"] == b"contents"
    assert b"Package: p" in found["p.deb/./control"]


def test_the_bill_says_what_is_linked(tmp_path):
    library = pathlib.Path(os.environ["BNQ_LIBRARY"]).resolve()
    with zipfile.ZipFile(tmp_path / "bnq.zip", "w") as archive:
        archive.write(library, "lib/libbnq.so")
        archive.write(os.environ["BNQ_CLI"], "bin/bnq")
        archive.writestr("notes.txt", "no binary")
    for name in ("b-n.tar.gz", "b_n.tar.gz"):
        tar(tmp_path / name, {})
    document = json.loads(run("sbom.py", tmp_path))
    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    assert [file["fileName"] for file in document["files"]] == [
        "./bnq.zip/lib/libbnq.so", "./bnq.zip/bin/bnq"]
    names = {entry["SPDXID"]: entry["name"] for entry in document["packages"]}
    files = {file["SPDXID"]: file["fileName"].rpartition("/")[2] for file in document["files"]}
    linked = {}
    for relation in document["relationships"]:
        if relation["relationshipType"].endswith("_LINK"):
            what = names[relation["relatedSpdxElement"]].partition(" ")[0]
            linked.setdefault(files[relation["spdxElementId"]], {})[what] = (
                relation["relationshipType"])
    for name in ("libbnq.so", "bnq"):
        assert linked[name]["JSON"] == "STATIC_LINK"
    assert "Highway" in linked["libbnq.so"] and "zlib" in linked["libbnq.so"]
    assert linked["bnq"]["CLI11"] == "STATIC_LINK" and "Highway" not in linked["bnq"]
    assert run("sbom.py", tmp_path) == run("sbom.py", tmp_path)


def test_a_broken_bill_is_refused():
    document = {"packages": [{"SPDXID": "SPDXRef-a", "name": "a"}] * 2,
                "files": [{"SPDXID": "SPDXRef-f", "fileName": "./f"}],
                "relationships": [{"spdxElementId": "SPDXRef-a", "relationshipType": "CONTAINS",
                                   "relatedSpdxElement": "SPDXRef-gone"}]}
    found = "\n".join(sbom.problems(document))
    for text in ("SPDXRef-a stands for several", "has SPDXRef-gone", "./f is linked with nothing",
                 "a has no version"):
        assert text in found
