"""The pages of --report: as text, and in a browser where there is one."""

import base64
import hashlib
import re
import struct
import zlib
from html.parser import HTMLParser

import browser as chromium
import numpy as np
import pytest
from conftest import DEMO, by_name, run, run_json, write_safetensors

HOSTILE = ["</script><script>x=1</script>", "<img src=x onerror=x=1>", "a\" onclick=\"x=1", "&lt;b",
           "'><svg onload=x=1>", "\u202egnp.exe", "tab\tand\nline", "</details></table>", "-->",
           "]]>"]
COMMANDS = ["quantize", "diff", "analyze", "calibrate"]
VOID = {"meta", "link", "wbr"}


class Reader(HTMLParser):
    """Fails where elements do not nest; gathers elements and the table's cells."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.rows, self.titles = [], [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append({"text": "", **dict(attributes)})

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "title" and "svg" not in self.stack:
            self.titles.append(data)
        for tag in reversed(self.stack):
            if tag in ("small", "svg"):
                break
            if tag in ("th", "td"):
                self.rows[-1][-1]["text"] += data
                break


def table(text):
    """Name -> column -> cell."""
    head, *rows = Reader(text).rows
    titles = [cell["text"] for cell in head]
    return {row[0]["text"]: dict(zip(titles, row)) for row in rows}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Command -> (page, what --json says) of the model that the repository has."""
    folder = tmp_path_factory.mktemp("report")
    model = folder / "model.bnq"
    pages = {}
    for command, arguments in {
        "quantize": [DEMO, "-o", model, "--preset", "nf4"],
        "diff": [DEMO, model],
        "analyze": [DEMO, "--target-bits", "5"],
        "calibrate": [DEMO, "--dry-run", "--method", "percentile", "--percentile", "99"],
    }.items():
        page = folder / f"{command}.html"
        pages[command] = page, run_json(command, *arguments, "--report", page)
    return pages


@pytest.mark.parametrize("command", ["quantize", "diff"])
def test_the_table_says_what_json_says(made, command):
    page, value = made[command]
    shown, expected = table(page.read_text()), by_name(value)
    assert set(shown) == set(expected)
    for name, tensor in expected.items():
        row = shown[name]
        assert row["Shape"]["text"] == "x".join(map(str, tensor["shape"]))
        assert row["Format"]["text"] == tensor.get("format", tensor.get("dtype"))
        for title, key in {"Size": "bytes", "Bits/weight": "bits_per_weight",
                           "SQNR dB": "sqnr_db", "Max error": "max_error"}.items():
            number = row[title].get("data-v")
            if tensor[key] is not None:
                assert float(number) == tensor[key]
            else:
                assert number in (None, "Infinity")
    # The worst first, with their shares of one whole.
    sqnr = [tensor["sqnr_db"] for tensor in map(expected.get, shown)]
    known = [value for value in sqnr if value is not None]
    assert sqnr[:len(known)] == sorted(known) and len(known) == 3
    assert sum(float(row["Loss share"].get("data-v", 0)) for row in shown.values()) == (
        pytest.approx(1))


def test_what_analyze_shows(made):
    page, value = made["analyze"]
    text = page.read_text()
    shown = table(text)
    rows = {row["name"]: row for row in value["allocation"]}
    assert set(shown) == set(rows)
    for name, row in rows.items():
        assert shown[name]["Config"]["text"] == row["config"]
        for title, key in {"Size": "bytes", "Bits/weight": "bits_per_weight",
                           "Loss share": "share"}.items():
            assert float(shown[name][title]["data-v"]) == row[key]
    shares = [rows[name]["share"] for name in shown]
    assert shares == sorted(shares, reverse=True)
    # The curve falls, and what was chosen is on it.
    points = [tuple(map(float, match)) for match in re.findall(
        r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.8"', text)]
    assert len(points) > 10 and points == sorted(points) and (
        [y for _, y in points] == sorted(y for _, y in points))
    ((x, y),) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="5.5"', text)
    assert np.interp(float(x), *zip(*points)) == pytest.approx(float(y), abs=4)
    assert f"{value['budget']['bits_per_weight']:.3f} bits" in text and "proven" in text


def test_curves(tmp_path):
    """Of quantize with a budget the same as of analyze, and without a budget none; of what
    is swept the sizes that were asked for."""
    page = tmp_path / "page.html"

    def circles(command, *arguments):
        run(command, *arguments, "--report", page, "--force")
        return re.findall(r"<circle .*?>", page.read_text())

    saved = tmp_path / "sensitivity.json"
    run("analyze", DEMO, "-o", saved)
    curve = circles("analyze", DEMO, "--target-bits", "5")
    assert circles("quantize", DEMO, "--dry-run", "--target-bits", "5") == curve
    assert circles("analyze", saved, "--target-bits", "5") == curve
    assert circles("analyze", saved)  # without a choice
    assert len(circles("analyze", saved, "--sweep", "4:6:0.5")) <= 5
    assert circles("quantize", DEMO, "--dry-run") == []


def test_what_calibrate_shows(made):
    page, value = made["calibrate"]
    text = page.read_text()
    shown = table(text)
    for name, tensor in by_name(value).items():
        assert float(shown[name]["Low"]["data-v"]) == tensor["low"][0]
        assert float(shown[name]["Absmax"]["data-v"]) == tensor["statistics"]["absmax"]
    # 1 % is beyond: of small tensors more or less, and most in the first row.
    beyond = [float(row["Beyond"]["data-v"]) for row in shown.values()]
    assert beyond == sorted(beyond, reverse=True) and 0.005 < np.median(beyond) < 0.05
    assert 'class="beyond"' in text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_needs_nothing_else(made, command):
    text = made[command][0].read_text()
    assert "://" not in text and "@import" not in text and "url(" not in text
    for tag, attributes in Reader(text).elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith(("#", "data:,"))
        assert tag != "script" or not attributes
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text, f"kPageScriptHash should be {digest}"
    assert "default-src 'none'" in text


def test_the_same_bytes_every_time(made, tmp_path):
    page, _ = made["diff"]
    other = page.parent / "model.bnq"
    run("diff", DEMO, other, "--report", tmp_path / "page.html", "--threads", 1)
    assert (tmp_path / "page.html").read_bytes() == page.read_bytes()


@pytest.mark.parametrize("command", ["quantize", "diff"])
def test_hostile_names(tmp_path, command):
    rng = np.random.default_rng(3)
    tensors = {name: rng.standard_normal((4, 64)).astype(np.float32) for name in HOSTILE}
    model = write_safetensors(tmp_path / "<b>&\".safetensors", tensors)
    out, page = tmp_path / "model.bnq", tmp_path / "page.html"
    run("quantize", model, "-o", out, *(["--report", page] if command == "quantize" else []))
    if command == "diff":
        run("diff", model, out, "--report", page)
    text = page.read_text()
    shown = table(text)
    plain = [name.replace("\t", r"\x09").replace("\n", r"\x0a") for name in HOSTILE]
    assert set(shown) == set(plain)
    reader = Reader(text)
    assert "<b>&\"" in reader.titles[0]
    assert [tag for tag, _ in reader.elements if tag == "script"] == ["script"]
    assert not any(name.startswith("on") for _, have in reader.elements for name in have)


def test_tensors_without_numbers(tmp_path):
    """Empty ones, integers, those that are in one file only, and none at all."""
    ones = np.ones((2, 64), np.float32)
    a = write_safetensors(tmp_path / "a.safetensors", {
        "both": ones, "gone": ones, "empty": ones[:0], "steps": np.arange(3, dtype=np.int32),
        "zeros": 0 * ones})
    b = write_safetensors(tmp_path / "b.safetensors", {
        "both": ones * 2, "new": ones, "empty": ones[:0], "steps": np.arange(3, dtype=np.int32),
        "zeros": 0 * ones})
    page = tmp_path / "page.html"
    run("diff", a, b, "--report", page)
    shown = table(page.read_text())
    assert list(shown)[0] in ("gone", "new") and len(shown) == 6
    assert "data-v" not in shown["gone"]["SQNR dB"] and "data-v" not in shown["empty"]["Max error"]
    for model, report in ((a, "quantized.html"), (write_safetensors(
            tmp_path / "none.safetensors", {}), "none.html")):
        run("quantize", model, "--dry-run", "--report", tmp_path / report)
        text = re.sub("<script>.*</script>", "", (tmp_path / report).read_text(), flags=re.S)
        assert "nan" not in re.sub("<[^>]*>", "", text).lower()
        Reader(text)


def test_where_a_report_goes(made, tmp_path):
    page = tmp_path / "page.html"
    text = run("quantize", DEMO, "--dry-run", "--report", page).stdout
    assert text.endswith(f"wrote {page}\n")
    old = page.read_bytes()
    error = run("quantize", DEMO, "-o", tmp_path / "x.bnq", "--report", page, code=4).stderr
    assert str(page) in error and "--force" in error
    assert not (tmp_path / "x.bnq").exists() and page.read_bytes() == old
    run("diff", DEMO, DEMO, "--report", page, code=4)
    run("diff", DEMO, DEMO, "--report", page, "--force")
    assert page.read_bytes() != old
    run("diff", DEMO, made["quantize"][0].parent / "model.bnq", "--report", DEMO, "--force", code=4)
    same = tmp_path / "same"
    run("quantize", DEMO, "-o", same, "--report", tmp_path / "." / "same", code=2)
    run("quantize", DEMO, "-o", same, "--report", tmp_path / "no" / "page.html", code=4)
    run("quantize", DEMO, "-o", same, "--report", tmp_path / "full.html", "--config", "int9",
        code=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["page.html"]
    assert run("quantize", DEMO, "--dry-run", "--report", "/dev/null", "--force").stdout


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not chromium.find():
        pytest.skip("no chromium: reports are not looked at")
    started = chromium.Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


COLUMN = """[...document.querySelectorAll("tbody tr")].map(r => r.cells[%d].textContent)"""


def pixels(png):
    """Rows of (red, green, blue) of a PNG of 8 bits."""
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4:at + 8], png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack_from(">IIBB", body)
            assert depth == 8
            channels = {2: 3, 6: 4}[colours]
        elif kind == b"IDAT":
            data += body
        at += size + 12
    stride = width * channels
    raw = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, stride + 1)
    out = np.zeros((height + 1, stride + channels), np.uint8)
    for y, (kind, *_) in enumerate(raw[:, :1].tolist()):
        line = raw[y, 1:]
        if kind in (0, 2):
            out[y + 1, channels:] = line + (out[y, channels:] if kind == 2 else 0)
            continue
        for x in range(channels, stride + channels):
            left, up, corner = (int(out[y + 1, x - channels]), int(out[y, x]),
                                int(out[y, x - channels]))
            if kind == 4:
                near = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                           (abs(left + up - 2 * corner), 2, corner))[2]
            else:
                near = left if kind == 1 else (left + up) // 2
            out[y + 1, x] = (int(line[x - channels]) + near) & 255
    return out[1:, channels:].reshape(height, width, channels)[..., :3]


def luminance(colour):
    part = np.asarray(colour, float) / 255
    part = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return part @ (0.2126, 0.7152, 0.0722)


def test_sorting(browser, made):
    page, value = made["quantize"]
    tab = browser.open(page)
    names = tab.value(COLUMN % 0)
    bits = {tensor["name"]: tensor["bits_per_weight"] for tensor in value["tensors"]}
    sqnr = {tensor["name"]: tensor["sqnr_db"] for tensor in value["tensors"]}

    def click(title):
        tab.value(f"""[...document.querySelectorAll("thead button")]
                      .find(b => b.textContent === "{title}").click()""")
        return tab.value(COLUMN % 0)

    assert click("Name") == sorted(names)
    assert click("Name") == sorted(names, reverse=True)
    assert [bits[name] for name in click("Bits/weight")] == sorted(bits.values(), reverse=True)
    assert [bits[name] for name in click("Bits/weight")] == sorted(bits.values())
    known = sorted(v for v in sqnr.values() if v is not None)
    # What has no number is last both ways.
    assert [sqnr[name] for name in click("SQNR dB")] == known[::-1] + [None] * 3
    assert [sqnr[name] for name in click("SQNR dB")] == known + [None] * 3
    assert tab.value("document.querySelectorAll('th[aria-sort]').length") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_in_a_browser(browser, made, command):
    page, value = made[command]
    tab = browser.open(page)
    assert tab.requests == [page.absolute().as_uri()] and tab.complaints == []
    # What the browser has read is what the file says.
    rows = value["allocation" if command == "analyze" else "tensors"]
    assert set(tab.value(COLUMN % 0)) == {row["name"] for row in rows}
    assert tab.value("document.documentElement.scrollWidth") == 1200
    # Nothing of the table is out of sight.
    assert tab.value("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.scroll'))")
    assert tab.value("document.querySelectorAll('details[open]').length") == 3
    # The pictures are there, and as wide as they should be.
    boxes = tab.value("""[...document.querySelectorAll("details[open] svg, tbody svg")]
                         .map(s => s.getBoundingClientRect()).map(b => [b.width, b.height])""")
    assert len(boxes) >= (0 if command == "analyze" else 6)
    assert all(w > 90 and h > 20 for w, h in boxes)
    narrow = browser.open(page, width=390)
    assert narrow.value("document.documentElement.scrollWidth") == 390


def test_a_link_opens_its_section(browser, made):
    tab = browser.open(made["diff"][0])
    tab.value("for (const d of document.querySelectorAll('details')) d.open = false")
    tab.value("document.querySelector('tbody a').click()")
    assert tab.value("document.querySelectorAll('details[open]').length") == 1


def test_light_dark_and_paper(browser, made):
    page, _ = made["diff"]
    corners = {}
    for dark in (False, True):
        tab = browser.open(page, dark=dark, width=900, height=500)
        picture = pixels(tab.picture(whole=False))
        assert picture.shape == (500, 900, 3)
        paper, light = luminance(picture[2, 2]), luminance(picture.reshape(-1, 3))
        corners[dark] = paper
        # Body text stands out, and quiet text is still read well (WCAG AA).
        assert (max(paper, light.max()) + 0.05) / (min(paper, light.min()) + 0.05) > 12
        ratios = tab.value("""[...document.querySelectorAll(
            ".command, dt, .label, .note, thead th, small, footer p, tbody td, tbody th")]
            .map(e => getComputedStyle(e).color.match(/\\d+/g).map(Number))""")
        for colour in {tuple(c[:3]) for c in ratios}:
            low, high = sorted((luminance(colour), paper))
            assert (high + 0.05) / (low + 0.05) > 4.5
    assert corners[False] > 0.9 and corners[True] < 0.02
    tab.media("print", dark=True)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert tab.value(colour) == "rgb(255, 255, 255)"
    assert tab.pdf().startswith(b"%PDF")


def test_without_scripts(browser, made):
    """All there is to read is there, and nothing that does not work."""
    page, value = made["diff"]
    tab = browser.open(page, scripts=False)
    assert set(tab.value(COLUMN % 0)) == set(by_name(value))
    assert tab.value("document.querySelectorAll('button').length") == 0


def test_hostile_names_in_a_browser(browser, tmp_path):
    ones = np.linspace(-1, 1, 256, dtype=np.float32).reshape(4, 64)
    model = write_safetensors(tmp_path / "a.safetensors", dict.fromkeys(HOSTILE, ones))
    run("quantize", model, "--dry-run", "--report", tmp_path / "page.html")
    tab = browser.open(tmp_path / "page.html")
    assert tab.value("typeof x") == "undefined"
    assert tab.requests == [(tmp_path / "page.html").as_uri()] and tab.complaints == []
    assert tab.value("document.querySelectorAll('tbody tr').length") == len(HOSTILE)
