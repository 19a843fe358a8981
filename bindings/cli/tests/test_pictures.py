"""The pictures of bnq calibrate --svg."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from conftest import by_name, run, run_json, write_safetensors

SVG = "{http://www.w3.org/2000/svg}"
KEPT, BEYOND = "#2f6690", "#d1495b"


def draw(tmp_path, array, *options):
    np.save(tmp_path / "x.npy", array)
    picture = tmp_path / "x.svg"
    value = run_json("calibrate", tmp_path / "x.npy", "--dry-run", "--force", "--svg", picture,
                     *options)
    assert value["pictures"] == [str(picture)]
    return ElementTree.parse(picture).getroot(), by_name(value)["x"]


def texts(root):
    return [element.text for element in root.iter(SVG + "text")]


def bars(root, colour):
    """(left, top, width, height) of each."""
    paths = [p.get("d") for p in root.iter(SVG + "path") if p.get("fill") == colour]
    assert len(paths) <= 1
    return [tuple(map(float, bar)) for bar in re.findall(
        r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", paths[0] if paths else "")]


def grid(root):
    """Count -> y of the lines of powers of ten."""
    labels = {t.get("y"): t.text for t in root.iter(SVG + "text")
              if t.get("text-anchor") == "end"}
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    return {10.0 ** int(text[2:].translate(digits)) if re.search("[⁰-⁹]", text[2:]) else
            float(text): float(y) - 4 for y, text in labels.items()}


def counts(root, colour):
    """The counts that the bars show on the logarithmic scale."""
    lines = sorted(grid(root).items())
    (first, y0), (last, y1) = lines[0], lines[-1]
    per_pixel = (np.log10(last) - np.log10(first)) / (y0 - y1)
    return np.array([10 ** (np.log10(first) + (y0 - top) * per_pixel)
                     for _, top, _, _ in bars(root, colour)])


def beyond(root):
    (text,) = re.findall(r"(\d+) \(\S+ %\) beyond the range", "\n".join(texts(root)))
    return int(text)


@pytest.fixture
def values():
    rng = np.random.default_rng(7)
    return rng.laplace(size=(300, 64)).astype(np.float32)


def test_bars_show_every_value(tmp_path, values):
    root, tensor = draw(tmp_path, values)
    shown = counts(root, KEPT)
    assert len(shown) > 50
    assert shown.sum() == pytest.approx(values.size, rel=2e-3)
    assert np.abs(shown - np.round(shown)).max() < 0.01 * shown.max()
    assert bars(root, BEYOND) == [] and beyond(root) == 0
    # The bars are where the values are, by the ticks of the axis.
    ticks = {float(t.text): float(t.get("x")) for t in root.iter(SVG + "text")
             if re.fullmatch(r"-?[\d.]+", t.text) and t.get("text-anchor") == "middle"}
    (a, x_a), *_, (b, x_b) = sorted(ticks.items())
    per_unit = (x_b - x_a) / (b - a)
    left, right = bars(root, KEPT)[0], bars(root, KEPT)[-1]
    assert (left[0] - x_a) / per_unit + a == pytest.approx(values.min(), abs=0.2)
    assert (right[0] + right[2] - x_a) / per_unit + a == pytest.approx(values.max(), abs=0.2)
    caption = "\n".join(texts(root))
    assert f"{values.size} values in 1 batch" in caption
    assert f"range {tensor['low'][0]:.5g} to {tensor['high'][0]:.5g}" in caption
    assert f"kurtosis {tensor['statistics']['kurtosis']:.5g}" in caption
    assert "method minmax" in caption


@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
def test_what_is_beyond_the_range(tmp_path, values, scheme):
    root, tensor = draw(tmp_path, values, "--method", "percentile", "--percentile", "99",
                        "--scheme", scheme)
    low, high = tensor["low"][0], tensor["high"][0]
    expected = int((values < low).sum() + (values > high).sum())
    assert expected > 0 and beyond(root) == expected
    shown = counts(root, BEYOND).sum() + counts(root, KEPT).sum()
    # Where an end is within a bar, both colours are in it.
    assert shown == pytest.approx(values.size, rel=0.01)
    # Behind them the plot is shaded, outside of the two lines of the range.
    shades = [r for r in root.iter(SVG + "rect") if r.get("fill-opacity")]
    lines = [line for line in root.iter(SVG + "line") if line.get("stroke-dasharray")]
    assert len(shades) == len(lines) == 2
    assert float(shades[0].get("x")) + float(shades[0].get("width")) == pytest.approx(
        float(lines[0].get("x1")), abs=0.02)
    assert shades[1].get("x") == lines[1].get("x1")


def test_channels_are_shown_together(tmp_path, values):
    """Each with its own range, and bins of its own width."""
    scaled = values * np.geomspace(0.01, 1, 64, dtype=np.float32)
    root, tensor = draw(tmp_path, scaled, "--method", "percentile", "--percentile", "98",
                        "--granularity", "channel", "--axis", "1")
    low, high = np.array(tensor["low"]), np.array(tensor["high"])
    expected = int((scaled < low).sum() + (scaled > high).sum())
    assert beyond(root) == expected > 0
    assert any(text.startswith("ranges within ") for text in texts(root))
    assert "64 channels" in "\n".join(texts(root))


@pytest.mark.parametrize("array", [
    np.zeros(5), np.full(7, 3.25), np.full(3, -1e-30), np.array([1e-38, 2e-38]),
    np.array([-3e38, 3e38]), np.array([1e6, 1e6 + 1]), np.array([5.0]), np.arange(10) * 1e-5,
], ids=["zeros", "constant", "tiny", "least", "greatest", "far", "one", "small"])
@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
def test_odd_values(tmp_path, array, scheme):
    root, _ = draw(tmp_path, array.astype(np.float32), "--scheme", scheme)
    width, height = float(root.get("width")), float(root.get("height"))
    shown = bars(root, KEPT)
    assert shown and beyond(root) == 0
    for left, top, bar_width, bar_height in shown:
        assert left >= 0 and top >= 0 and bar_width >= 1.99 and bar_height > 1
        assert left + bar_width <= width and top + bar_height <= height
    ticks = [t.text for t in root.iter(SVG + "text") if t.get("text-anchor") == "middle"]
    numbers = [t for t in ticks if re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", t)]
    assert 2 <= len(set(numbers)) == len(numbers) <= 15
    for element in root.iter():
        assert not any("nan" in v or "inf" in v for k, v in element.items() if k != "fill")


def test_the_same_bytes_every_time(tmp_path, values):
    path = write_safetensors(tmp_path / "a.safetensors", {"x": values, "y": -values})
    for directory, threads in (("one", 1), ("two", 2)):
        run("calibrate", path, "--dry-run", "--method", "kl", "--svg", tmp_path / directory,
            "--threads", threads)
    for name in ("x.svg", "y.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_names(tmp_path):
    """Files stay in the directory and apart, whatever tensors are called."""
    ones = np.ones(4, np.float32)
    names = ["a/b", "a_b", "A_B", "../up", "..", "-o", "nul\u0001 \u009b", "<&>\"'", "größe",
             "x" * 300, "x" * 299 + "y", " "]
    path = write_safetensors(tmp_path / "a.safetensors", dict.fromkeys(names, ones))
    out = tmp_path / "svg" / "deep"
    value = run_json("calibrate", path, "--dry-run", "--svg", out)
    files = sorted(p.name for p in out.iterdir())
    assert len({name.lower() for name in files}) == len(files) == len(names)
    assert all(re.fullmatch(r"\w[\w.-]*\.svg", name, re.ASCII) for name in files)
    titles = [ElementTree.parse(p).getroot().find(SVG + "title").text for p in value["pictures"]]
    shown = [t["name"].replace("\u0001", r"\x01").replace("\u009b", r"\xc2\x9b")
             for t in value["tensors"]]
    assert titles == shown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "svg"]
    assert len(list((tmp_path / "svg").iterdir())) == 1


def test_a_name_that_is_not_utf_8(tmp_path):
    path = bytes(tmp_path) + b"/bad\xff\xc0\xafname.npy"
    with open(path, "wb") as file:
        np.save(file, np.ones(3, np.float32))
    error = run("calibrate", tmp_path, "--dry-run", "--svg", tmp_path / "x.svg", code=3).stderr
    assert r"bad\xff\xc0\xafname" in error and "not UTF-8" in error
    assert not (tmp_path / "x.svg").exists()


def test_where_pictures_go(tmp_path):
    ones = np.ones(4, np.float32)
    path = write_safetensors(tmp_path / "a.safetensors", {"x": ones, "y": ones})
    error = run("calibrate", path, "--dry-run", "--svg", tmp_path / "one.svg", code=2).stderr
    assert "directory" in error
    (tmp_path / "file").write_bytes(b"")
    run("calibrate", path, "--dry-run", "--svg", tmp_path / "file", code=4)
    run("calibrate", path, "--dry-run", "--svg", tmp_path / "file" / "below", code=4)
    run("calibrate", path, "-o", tmp_path / "c.bnq", "--histogram", "off")
    error = run("calibrate", "--merge", tmp_path / "c.bnq", "--dry-run", "--svg",
                tmp_path / "svg", code=3).stderr
    assert "histogram" in error and "c.bnq" in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "c.bnq", "file"]
    text = run("calibrate", path, "--dry-run", "--svg", tmp_path / "svg").stdout
    assert f"wrote 2 pictures: {tmp_path / 'svg'}\n" in text
