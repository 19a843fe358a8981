"""A network that is larger than the memory it may use, layer by layer.

    python layer_by_layer.py [FOLDER]

The weights are read from a model in several files, quantized once into a cache, and
restored from it in the second pass, while the next layers are got ready. FOLDER (else a
temporary one) gets a model of random weights, and the cache. On Linux the process forbids
itself (RLIMIT_DATA) more than a third of the model's bytes beyond what it has, which it
also finds out to be true.
"""
import pathlib
import sys
import tempfile

import numpy as np

import bitnet_quant as bq

LAYERS, WIDTH = 24, 1024
LAYER_BYTES = 4 * WIDTH * WIDTH


def write_model(folder):
    """A file for each layer, and the index, as models are downloaded."""
    random = np.random.default_rng(1)
    places = []
    for number in range(LAYERS):
        weights = random.uniform(-1, 1, (WIDTH, WIDTH)).astype(np.float32)
        weights *= np.sqrt(6 / WIDTH)
        name, shard = f"layers.{number}.weight", f"shard-{number}.safetensors"
        with bq.Writer(folder / shard, overwrite=True) as writer:
            writer.add(name, weights)
        places.append(f'"{name}": "{shard}"')
    index = '{"weight_map": {' + ", ".join(places) + "}}"
    (folder / "model.safetensors.index.json").write_text(index)


def limit_memory():
    """Whether there is a limit now, a third of the model above what is in use."""
    if not sys.platform.startswith("linux"):
        return False
    import resource

    status = pathlib.Path("/proc/self/status").read_text()
    in_use = 1024 * int(status.split("VmData:")[1].split()[0])
    limit = in_use + LAYERS * LAYER_BYTES // 3
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    try:
        np.ones((LAYERS, WIDTH, WIDTH), np.float32)
    except MemoryError:
        return True
    raise SystemExit("the limit has no effect")


def run(layers):
    x = (np.arange(WIDTH) % 7 - 3).astype(np.float32)[None]
    for layer in layers:
        (weight,) = layer.values()
        x = bq.QuantLinear(weight, input="int8", function="relu")(x)
    return x


def main(folder):
    write_model(folder)
    limited = limit_memory()
    # What has been restored lies in mapped files: nothing else needs to keep it.
    cache = bq.Cache(folder / "cache", memory_limit=0)
    with bq.Layers(folder, "int8_per_channel", cache=cache, look_ahead=2) as layers:
        first, second = run(layers), run(layers)
        statistics = layers.statistics()
    print(f"{LAYERS} layers of {LAYER_BYTES >> 20} MiB"
          + (f" within {LAYERS * LAYER_BYTES // 3 >> 20} MiB" if limited else ""))
    print("the same twice:", np.array_equal(first, second), "sum", float(first.sum()))
    for name, value in statistics.items():
        print(f"{name} {value:g}")
    return first, second, statistics


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(pathlib.Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(pathlib.Path(temporary))
