"""Work spread over executors: the same bytes for every number of workers and every order."""
import concurrent.futures
import filecmp
import os
import pathlib
import pickle
import random
import signal
import subprocess
import sys
import textwrap

import bitnet_quant as bq
import numpy as np
import pytest
from bitnet_quant import distributed

CONFIG = "int4_per_group_32"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder of several shards."""
    folder = tmp_path_factory.mktemp("model") / "in"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    rng = np.random.default_rng(5)
    with bq.Writer(folder / "model.safetensors", max_shard_size=60_000) as writer:
        for layer in range(6):
            for name, shape in (("self_attn.q_proj", (32, 64)), ("mlp.up_proj", (96, 64)),
                                ("input_layernorm", (64,))):
                writer.add(f"model.layers.{layer}.{name}.weight",
                           rng.standard_normal(shape).astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    rng = np.random.default_rng(6)
    for index in range(7):
        with bq.Writer(folder / f"{index}.safetensors") as writer:
            for name in "ab":
                writer.add(name, (rng.standard_normal((50, 8)) * (index + 1)).astype(np.float32))
    return folder


class Later:
    """A future of an executor that runs what it likes, when it likes, and twice."""

    def __init__(self, executor):
        self.executor, self.state = executor, None

    def done(self):
        self.executor.step()
        return self.state is not None

    def result(self):
        while self.state is None:
            self.executor.step()
        kind, value = self.state
        if kind == "raised":
            raise value
        return value

    def cancel(self):
        if self.state is None:
            self.state = ("raised", concurrent.futures.CancelledError())


class Shuffled:
    """Tasks travel as bytes, as to another machine; some are lost and begun again."""

    def __init__(self, seed):
        self.random, self.waiting, self.ran = random.Random(seed), [], 0

    def submit(self, function, *arguments):
        future = Later(self)
        self.waiting.append((future, pickle.dumps((function, arguments))))
        return future

    def step(self):
        if not self.waiting:
            return
        index = self.random.randrange(len(self.waiting))
        future, task = self.waiting[index]
        if future.state is None:
            function, arguments = pickle.loads(task)
            self.ran += 1
            try:
                value = pickle.loads(pickle.dumps(function(*arguments)))
            except Exception as error:
                future.state = ("raised", error)
            else:
                if self.random.random() < 0.3:
                    return  # the answer is lost
                future.state = ("returned", value)
        self.waiting.pop(index)


class OnlyMap:
    def map(self, function, items):
        return [function(item) for item in items]


def executors():
    yield "none", None
    yield "map", OnlyMap()
    yield "shuffled", Shuffled(1)
    yield "shuffled again", Shuffled(2)
    yield "threads", concurrent.futures.ThreadPoolExecutor(3)


def same_files(a, b):
    names = sorted(path.name for path in a.iterdir())
    assert names == sorted(path.name for path in b.iterdir())
    assert filecmp.cmpfiles(a, b, names, shallow=False)[0] == names


def test_conversions_are_the_same_bytes(model, tmp_path):
    whole = tmp_path / "whole"
    expected = bq.quantize_file(model, whole, CONFIG)
    first = None
    for number, (name, executor) in enumerate(executors()):
        output = tmp_path / f"out{number}"
        seen = []
        report = distributed.convert(model, output, CONFIG, executor=executor,
                                     progress=lambda done, total, item: seen.append((done, total)))
        assert seen == [(i + 1, seen[0][1]) for i in range(seen[0][1])], name
        assert list(map(repr, report)) == list(map(repr, expected))  # NaNs are equal, too
        assert os.path.samefile(report.output, output)
        assert not output.with_name(output.name + ".parts").exists()
        first = first or output
        same_files(first, output)
    assert len(list(first.glob("*.bnq"))) == distributed.part_count(model) > 2
    with bq.open_file(whole) as a, bq.open_file(first) as b:
        assert set(a) == set(b)
    assert all(row.metrics.max_error == 0 for row in bq.compare_files(whole, first))


def test_sensitivities_and_estimates(model, tmp_path):
    expected = bq.analyze_file(model, ["int4", "int8"]).to_json()
    for number, (_, executor) in enumerate(executors()):
        save = tmp_path / f"{number}.json"
        result = distributed.sensitivity(model, ["int4", "int8"], executor=executor, save=save)
        assert result.to_json() == expected
        assert bq.Sensitivity.load(save).to_json() == expected
        assert sorted(tmp_path.iterdir()) == sorted(tmp_path.glob("*.json"))
        assert distributed.estimate([model], CONFIG, executor=executor)[0].file_bytes == \
            bq.estimate_file(model, CONFIG).file_bytes


@pytest.mark.parametrize("method", ["minmax", "percentile", "kl", "mse"])
def test_calibrations(batches, method):
    expected = bq.Calibration(method=method)
    expected.observe_file(batches)
    for _, executor in executors():
        result = distributed.calibrate(batches, executor=executor, method=method)
        assert result.to_bytes() == expected.to_bytes()


def test_what_depends_on_the_order_is_refused(batches):
    executor = Shuffled(1)
    with pytest.raises(bq.UnsupportedError):
        distributed.calibrate(batches, executor=executor, method="moving_average")
    assert executor.ran == 0


def test_errors_name_their_tensor(model, tmp_path):
    for _, executor in executors():
        distributed.verify(model, executor=executor)
    broken = tmp_path / "broken.safetensors"
    with bq.Writer(broken) as writer:
        for index in range(8):
            values = np.ones((4, 64), np.float32)
            if index == 5:
                values[0, 0] = np.nan
            writer.add(f"w{index}", values)
    for _, executor in executors():
        with pytest.raises(bq.NonFiniteError, match="w5"):
            distributed.verify(broken, executor=executor, parts=4)
        with pytest.raises(bq.NonFiniteError, match="w5"):
            distributed.convert(broken, tmp_path / "out", "int8", executor=executor, parts=4)
        assert not (tmp_path / "out").exists()
    with pytest.raises(bq.MissingFileError):
        distributed.convert(tmp_path / "none", tmp_path / "out", executor=None)
    with pytest.raises(bq.InvalidArgumentError, match="parts"):
        distributed.verify(model, executor=None, parts=0)
    with pytest.raises(TypeError, match="submit"):
        distributed.verify(model, executor=object())


def test_cancelling_keeps_what_is_finished(model, tmp_path):
    output = tmp_path / "out"
    executor = Shuffled(3)
    with pytest.raises(bq.CancelledError):
        distributed.convert(model, output, CONFIG, executor=executor,
                            progress=lambda done, *_: done < 2)
    assert not output.exists()
    again = Shuffled(4)
    distributed.convert(model, output, CONFIG, executor=again)
    whole = tmp_path / "whole"
    distributed.convert(model, whole, CONFIG, executor=None)
    same_files(output, whole)


WORKER = """
    import os, signal, sys
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from bitnet_quant import distributed

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if __name__ == "__main__":
        model, output = sys.argv[1:]
        with ProcessPoolExecutor(2) as pool:
            broken = pool.submit(die)
            try:
                distributed.convert(model, output, "int4_per_group_32", executor=pool)
            except BrokenProcessPool:
                assert not os.path.exists(output)
                with ProcessPoolExecutor(2) as again:
                    distributed.convert(model, output, "int4_per_group_32", executor=again)
                sys.exit(3)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_worker_changes_nothing(model, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    output = tmp_path / "out"
    ended = subprocess.run([sys.executable, script, model, output], timeout=300, env={
        **os.environ, "PYTHONPATH": str(pathlib.Path(bq.__file__).parents[1])})
    assert ended.returncode == 3
    whole = tmp_path / "whole"
    distributed.convert(model, whole, CONFIG, executor=None)
    same_files(output, whole)


def test_dask(model, batches, tmp_path):
    """A scheduler and workers of their own processes, one of which is killed."""
    dask = pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    whole = tmp_path / "whole"
    distributed.convert(model, whole, CONFIG, executor=None)
    with dask.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                           local_directory=str(tmp_path / "dask")) as cluster, \
            dask.Client(cluster) as client:
        victim = pathlib.Path(tmp_path / "killed")
        future = client.submit(_die_once, str(victim), pure=False)
        output = tmp_path / "out"
        distributed.convert(model, output, CONFIG, executor=client)
        assert future.result(timeout=120) == "again"
        same_files(output, whole)
        assert distributed.sensitivity(model, ["int8"], executor=client).to_json() == \
            bq.analyze_file(model, ["int8"]).to_json()
        expected = bq.Calibration(method="kl")
        expected.observe_file(batches)
        assert distributed.calibrate(batches, executor=client, method="kl").to_bytes() == \
            expected.to_bytes()
        distributed.verify(output, executor=client)


def _die_once(mark):
    if os.path.exists(mark):
        return "again"
    pathlib.Path(mark).touch()
    os.kill(os.getpid(), signal.SIGKILL)
