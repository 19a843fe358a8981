"""Exit codes, and that a failure leaves everything as it was."""

import fcntl
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios
import time

import numpy as np
import pytest
from conftest import BNQ, by_name, read_safetensors, run, run_json, write_safetensors


def listing(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_missing_input(tmp_path):
    missing = tmp_path / "missing"
    for arguments in (
        ["inspect", missing],
        ["verify", missing],
        ["diff", missing, missing],
        ["quantize", missing, "-o", tmp_path / "out"],
        ["quantize", missing, "-o", tmp_path / "out", "--include", "x"],
        ["dequantize", missing, "-o", tmp_path / "out"],
    ):
        result = run(*arguments, code=4)
        assert str(missing) in result.stderr
        assert result.stderr.count("\n") == 1
    assert listing(tmp_path) == {}


def test_directory_as_input(model, tmp_path):
    """That of one model stands for it, as a folder from Hugging Face."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for command in ("inspect", "verify"):
        assert str(folder) in run(command, folder, code=4).stderr
    alone = folder / "model.safetensors"
    alone.write_bytes(model.read_bytes())
    (folder / "config.json").write_text("{}")
    assert run_json("inspect", folder)["tensors"] == run_json("inspect", alone)["tensors"]
    assert all(t["mse"] in (0, None) for t in run_json("diff", folder, model)["tensors"])
    run("quantize", folder, "-o", tmp_path / "out.bnq")
    run("quantize", model, "-o", tmp_path / "same.bnq")
    assert (tmp_path / "out.bnq").read_bytes() == (tmp_path / "same.bnq").read_bytes()
    # One of the usual name goes first; else it is not known which is meant.
    other = alone.with_name("other.safetensors")
    other.write_bytes(model.read_bytes())
    assert run_json("inspect", folder)["tensors"] == run_json("inspect", alone)["tensors"]
    alone.rename(folder / "one.safetensors")
    error = run("inspect", folder, code=3).stderr
    assert "one.safetensors" in error and "other.safetensors" in error


@pytest.mark.parametrize("content, name", [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS"),
    (b"<!DOCTYPE html>\n<html>Not found</html>", "HTML"),
    (b"PK\3\4" + bytes(64), "zip"), (b"\x80\2}q\0." + bytes(64), "pickle"),
    (b'{"architectures": ["LlamaForCausalLM"]}', "JSON")])
def test_a_file_of_another_kind_is_named(model, tmp_path, content, name):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    for arguments in (["inspect", path], ["verify", path], ["diff", model, path],
                      ["quantize", path, "-o", tmp_path / "out"],
                      ["dequantize", path, "-o", tmp_path / "out"],
                      ["calibrate", path, "-o", tmp_path / "out"]):
        error = run(*arguments, code=3).stderr
        assert name in error and str(path) in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", [b"", b"1234567", b"\xff" * 64, b"{}", b"\x08" + b"\0" * 7 + b"not json"]
)
def test_corrupt_input(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for arguments in (
        ["inspect", path],
        ["verify", path],
        ["diff", path, path],
        ["quantize", path, "-o", tmp_path / "out"],
        ["dequantize", path, "-o", tmp_path / "out"],
    ):
        result = run(*arguments, code=3)
        assert result.stderr.count("\n") == 1
    assert list(listing(tmp_path)) == ["model.safetensors"]


def test_truncated_input(quantized):
    content = quantized.read_bytes()
    for size in (len(content) - 1, len(content) // 2, 20):
        quantized.write_bytes(content[:size])
        run("inspect", quantized, code=3)


def test_wrong_kind_of_input(model, quantized, tmp_path):
    run("quantize", quantized, "-o", tmp_path / "out", code=3)
    run("dequantize", model, "-o", tmp_path / "out", code=3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_weights(tmp_path, value):
    array = np.ones((4, 8), np.float32)
    array[2, 3] = value
    path = write_safetensors(tmp_path / "a.safetensors", {
        "ok": np.ones((2, 2), np.float32), "layer.w": array})
    out = tmp_path / "out.bnq"
    error = run("quantize", path, "-o", out, code=3).stderr
    assert "layer.w" in error and "19" in error
    assert list(listing(tmp_path)) == ["a.safetensors"]
    run("quantize", path, "-o", out, "--non-finite", "zero")
    run("quantize", path, "-o", out, "--force", "--exclude", "layer.w")


def test_dequantized_values_that_overflow(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "layer.w": np.array([[0, 1e6]], np.float32)})
    quantized, out = tmp_path / "a.bnq", tmp_path / "out.safetensors"
    run("quantize", path, "-o", quantized, "--format", "int8")
    for extra in ([], ["--overflow", "error"]):
        error = run("dequantize", quantized, "-o", out, "--dtype", "f16", *extra, code=3).stderr
        assert "layer.w" in error
        assert sorted(listing(tmp_path)) == ["a.bnq", "a.safetensors"]
    for choice, expected in (("saturate", 65504), ("keep", np.inf)):
        run("dequantize", quantized, "-o", out, "--dtype", "f16", "--overflow", choice, "--force")
        assert np.frombuffer(read_safetensors(out)["layer.w"][2], "<f2").tolist() == [0, expected]
    error = run("dequantize", quantized, "-o", tmp_path / "b", "--overflow", "wrap", code=2).stderr
    assert "--overflow" in error and "saturate" in error


def test_existing_output(model, tmp_path):
    out = tmp_path / "out.bnq"
    out.write_bytes(b"precious")
    for extra in ([], ["--dry-run"]):
        error = run("quantize", model, "-o", out, *extra, code=4).stderr
        assert str(out) in error and "--force" in error
        assert out.read_bytes() == b"precious"
    run("quantize", model, "-o", out, "--force", "--dry-run")
    assert out.read_bytes() == b"precious"
    run("quantize", model, "-o", out, "--force")
    run("verify", out)
    assert len(listing(tmp_path)) == 2


def test_the_null_device(model, quantized, tmp_path):
    """Writing to it is a dry run; any other device is refused."""
    np.save(tmp_path / "x.npy", np.ones(3, np.float32))
    (tmp_path / "link").symlink_to("/dev/null")
    before = listing(tmp_path)
    for command, path in (("quantize", model), ("dequantize", quantized),
                          ("calibrate", tmp_path / "x.npy")):
        for output in ("/dev/null", tmp_path / "link"):
            value = run_json(command, path, "-o", output)
            assert value["dry_run"] is True and value["output"] == str(output)
            assert "wrote" not in run(command, path, "-o", output).stdout
        assert "device" in run(command, path, "-o", "/dev/zero", "--force", code=4).stderr
    assert listing(tmp_path) == before and os.path.exists("/dev/null")


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_input_is_never_overwritten(model, quantized, tmp_path, force):
    links = []
    for path in (model, quantized):
        links.append((path, path))
        for link in (tmp_path / f"{path.name}.soft", tmp_path / f"{path.name}.hard"):
            (link.symlink_to if link.suffix == ".soft" else link.hardlink_to)(path)
            links.append((path, link))
        links.append((path, tmp_path / "." / ".." / tmp_path.name / path.name))
    before = listing(tmp_path)
    for path, output in links:
        command = "quantize" if path == model else "dequantize"
        run(command, path, "-o", output, *force, code=4)
        assert listing(tmp_path) == before


def test_failure_keeps_the_old_output(tmp_path):
    bad = write_safetensors(tmp_path / "a.safetensors", {
        "a": np.ones((4, 4), np.float32), "b": np.full((4, 4), np.nan, np.float32)})
    out = tmp_path / "out.bnq"
    out.write_bytes(b"precious")
    run("quantize", bad, "-o", out, "--force", code=3)
    assert listing(tmp_path) == {"a.safetensors": bad.read_bytes(), "out.bnq": b"precious"}


@pytest.mark.parametrize("output", ["no/such/directory/out.bnq", "file/out.bnq", "."])
def test_broken_output_path(model, tmp_path, output):
    (tmp_path / "file").write_bytes(b"")
    for extra in ([], ["--force"]):
        error = run("quantize", model, "-o", tmp_path / output, *extra, code=4).stderr
        assert error.count("\n") == 1
    assert sorted(listing(tmp_path)) == ["file", "model.safetensors"]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_disk_full(model, tmp_path, handler):
    """A limit on the size of files stands for a full disk. Its signal, which would
    end the program, does not."""
    out = tmp_path / "out.bnq"
    out.write_bytes(b"precious")

    def limit():
        signal.signal(signal.SIGXFSZ, handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    error = run("quantize", model, "-o", out, "--force", code=4,
                preexec_fn=limit, restore_signals=False).stderr
    assert str(out) in error
    assert sorted(listing(tmp_path)) == ["model.safetensors", "out.bnq"]
    assert out.read_bytes() == b"precious"


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w")


def writing_commands(model, quantized, tmp_path):
    """Command lines that write, and where."""
    np.save(tmp_path / "x.npy", np.arange(8, dtype=np.float32))
    return [(["quantize", model], tmp_path / "q"), (["dequantize", quantized], tmp_path / "d"),
            (["calibrate", tmp_path / "x.npy", "--svg", tmp_path / "new" / "svg"],
             tmp_path / "c")]


@pytest.mark.parametrize("target", [lambda: open("/dev/full", "w"), closed_pipe])
@pytest.mark.parametrize("old", [None, b"precious"])
def test_a_report_that_cannot_be_written(model, quantized, tmp_path, target, old):
    """It comes before the old output is replaced, not after."""
    for arguments, out in writing_commands(model, quantized, tmp_path):
        if old is not None:
            out.write_bytes(old)
        before = listing(tmp_path)
        for extra in ([], ["--json"]):
            with target() as stdout:
                error = run(*arguments, "-o", out, "--force", *extra, code=4, stdout=stdout).stderr
            assert "standard output: " in error and error.count("\n") == 1
            assert listing(tmp_path) == before and not (tmp_path / "new").exists()
        with target() as stdout:  # which is not needed
            run(*arguments, "-o", out, "--force", "--quiet", stdout=stdout)
        assert out.read_bytes() not in (b"", old)


def test_a_signal_while_nobody_reads_the_report(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        f"layers.{i}.weight": np.zeros(1, np.float32) for i in range(600)})
    before = listing(tmp_path)
    process = subprocess.Popen(
        [BNQ, "quantize", path, "-o", tmp_path / "out.bnq", "--json"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    full = 1 << 16
    while struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4))[0] < full:
        assert process.poll() is None
        time.sleep(0.01)
    while process.poll() is None:  # whether it has begun to wait, nobody can see
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.returncode == 5
    assert process.stderr.read() == "bnq: error: cancelled by a signal\n"
    process.stdout.close()
    process.stderr.close()
    assert listing(tmp_path) == before


# A terminal for standard error, and signals.


@pytest.fixture(scope="module")
def large_model(tmp_path_factory):
    """Enough work, with --compress, to be interrupted in the middle of it."""
    rng = np.random.default_rng(5)
    array = rng.standard_normal((1024, 2048)).astype(np.float16)
    path = tmp_path_factory.mktemp("large") / "large.safetensors"
    return write_safetensors(path, {f"layers.{i}.weight": array for i in range(32)})


SLOW = ["--format", "int8", "--compress", "--threads", "1"]


# Those that cancel, unless whoever started bnq has them ignored.
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Terminal:
    """bnq with a pseudo-terminal for standard error."""

    def __init__(self, *arguments, columns=None, ignored=(), **options):
        """The signals in `ignored` are ignored from the start, and no others, however the
        tests themselves were started: under nohup, or in the background."""
        def set_signals():
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        self.master, slave = pty.openpty()
        if columns:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [BNQ, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            preexec_fn=set_signals,
            **options,
        )
        os.close(slave)
        self.stderr = ""

    def read_until(self, text, seconds=60):
        """Reads standard error until it contains text; None: to its end."""
        deadline = time.monotonic() + seconds
        while text is None or text not in self.stderr:
            ready, _, _ = select.select([self.master], [], [], deadline - time.monotonic())
            assert ready, f"no {text!r} in {self.stderr!r}"
            try:
                chunk = os.read(self.master, 4096)
            except OSError:  # EIO: the program has closed its end
                chunk = b""
            if not chunk:
                assert text is None, f"no {text!r} in {self.stderr!r}"
                return self.stderr
            self.stderr += chunk.decode()
        return self.stderr

    def finish(self, code):
        self.read_until(None)
        stdout = self.process.communicate(timeout=60)[0]
        os.close(self.master)
        assert self.process.returncode == code, self.stderr
        return stdout


def screen(text):
    """What a terminal shows in the end: its lines, without trailing spaces."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = []
        column = 0
        for c in line:
            if c == "\r":
                column = 0
                continue
            shown[column : column + 1] = [c]
            column += 1
        lines.append("".join(shown).rstrip())
    return "\n".join(lines).rstrip("\n")


@pytest.mark.parametrize("command", ["quantize", "dequantize", "verify", "diff"])
def test_progress_bar_on_a_terminal(model, quantized, tmp_path, command):
    arguments = {
        "quantize": [model, "-o", tmp_path / "a"],
        "dequantize": [quantized, "-o", tmp_path / "b"],
        "verify": [quantized],
        "diff": [model, quantized],
    }[command]
    terminal = Terminal(command, *arguments)
    stdout = terminal.finish(0)
    assert "100%" in terminal.stderr and "[####" in terminal.stderr
    assert "\n" not in terminal.stderr
    assert screen(terminal.stderr) == ""
    # The report is the same as without a terminal, and the bar is not in it.
    assert stdout and "#" not in stdout

    quiet = Terminal(command, *arguments, "--quiet", *(["--force"] if "-o" in arguments else []))
    assert quiet.finish(0) == ""
    assert quiet.stderr == ""


def test_progress_moves_and_fits_the_terminal(large_model, tmp_path):
    terminal = Terminal("quantize", large_model, "-o", tmp_path / "out.bnq", *SLOW, columns=44)
    terminal.finish(0)
    bars = [bar for bar in terminal.stderr.split("\r") if bar.startswith("[")]
    percents = [int(bar.split("%")[0].split()[-1]) for bar in bars]
    assert percents == sorted(percents) and percents[-1] == 100
    assert len(set(percents)) > 3
    assert all(len(bar.rstrip()) < 44 for bar in bars)
    assert any("..." in bar for bar in bars)


def test_no_progress_bar_without_a_terminal(model, tmp_path):
    assert run("quantize", model, "-o", tmp_path / "a.bnq").stderr == ""


def shown_with_pauses(terminal, mark):
    """What it shows, made to take its time: the pace is told when there is one."""
    shown = ""
    for pause in (0.7, 1.2, 1.2):
        terminal.read_until(mark)
        shown, terminal.stderr = shown + terminal.stderr, ""
        terminal.process.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        terminal.process.send_signal(signal.SIGCONT)
    terminal.finish(0)
    return shown + terminal.stderr


def test_progress_tells_the_pace(large_model, tmp_path):
    """On a terminal that is wide enough, and as JSON for programs."""
    command = ["quantize", large_model, *SLOW]
    bars = shown_with_pauses(
        Terminal(*command, "-o", tmp_path / "a.bnq", columns=200), "%")
    assert "iB/s" in bars and " left" in bars
    text = shown_with_pauses(
        Terminal(*command, "-o", tmp_path / "b.bnq", "--quiet", "--progress", "json"), "}")
    lines = [json.loads(line)["progress"] for line in text.splitlines()]
    shares = [line["share"] for line in lines]
    assert shares == sorted(shares) and shares[0] < 0.5 and shares[-1] == 1
    assert lines[-1]["done"] == lines[-1]["total"] > 0 == lines[-1]["seconds_left"]
    assert lines[-1]["bytes_per_second"] > 0
    assert {line["item"] for line in lines} <= set(by_name(run_json("inspect", large_model)))
    # Without a terminal, too, and nothing where nothing is wanted.
    result = run("diff", tmp_path / "a.bnq", tmp_path / "b.bnq", "--progress", "json")
    assert all("progress" in json.loads(line) for line in result.stderr.splitlines())
    assert result.stderr
    terminal = Terminal("quantize", large_model, "--dry-run", *SLOW, "--progress", "never")
    terminal.finish(0)
    assert terminal.stderr == ""


def test_an_error_comes_after_the_bar(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {
        "a": np.ones((4, 4), np.float32), "b": np.full((4, 4), np.nan, np.float32)})
    terminal = Terminal("quantize", path, "-o", tmp_path / "out.bnq")
    terminal.finish(3)
    assert "[" in terminal.stderr
    assert screen(terminal.stderr).startswith("bnq: error: ")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels(large_model, tmp_path, number):
    out = tmp_path / "out.bnq"
    out.write_bytes(b"precious")
    terminal = Terminal("quantize", large_model, "-o", out, *SLOW, "--force")
    terminal.read_until("layers.")
    assert terminal.process.poll() is None
    # Impatience changes nothing.
    for _ in range(3):
        terminal.process.send_signal(number)
    assert terminal.finish(5) == ""
    assert screen(terminal.stderr) == "bnq: error: cancelled by a signal"
    assert listing(tmp_path) == {"out.bnq": b"precious"}


def test_an_ignored_signal_stays_ignored(large_model):
    """As under nohup (SIGHUP) and in a script's background (SIGINT)."""
    terminal = Terminal("quantize", large_model, "--dry-run", *SLOW, ignored=SIGNALS)
    terminal.read_until("layers.")
    assert terminal.process.poll() is None
    for number in SIGNALS:
        terminal.process.send_signal(number)
    assert "total" in terminal.finish(0)
