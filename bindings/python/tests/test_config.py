"""Config and the registry it takes its keywords from."""
import copy
import pickle

import bitnet_quant as bq
import pytest


def test_defaults_are_those_of_the_registry():
    assert bq.Config().to_dict() == {option.name: option.default for option in bq.options()}


@pytest.mark.parametrize("option", bq.options(), ids=lambda option: option.name)
def test_every_option_takes_its_bounds_and_refuses_what_is_beyond(option):
    assert option.min <= option.max
    # The bounds of a named option leave room for values to come.
    for value in option.values or (option.min, option.max):
        assert getattr(bq.Config(**{option.name: value}), option.name) == value
    for value in (option.min - 1, option.max * 2 + 1):
        with pytest.raises(bq.InvalidArgumentError, match=option.name):
            bq.Config(**{option.name: value})


def test_values_by_name_and_number():
    named = bq.Config(format="int8", granularity="channel", scheme="asymmetric", group_size="64")
    numbers = {option.name: option for option in bq.options()}
    assert named == bq.Config(
        format=next(f.id for f in bq.formats() if f.name == "int8"),
        granularity=numbers["granularity"].values.index("channel"),
        scheme=numbers["scheme"].values.index("asymmetric"), group_size=64)
    assert named.group_size == 64
    assert named.scheme == "asymmetric"
    assert bq.Config(clip=2).clip == bq.Config(clip="2.0").clip == 2.0


def test_dictionary_round_trip():
    config = bq.Config(format="int8", group_size=32, clip=0.5, axis=-1)
    assert bq.Config.from_dict(config.to_dict()) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    assert eval(repr(config), {"Config": bq.Config}) == config


def test_replace_leaves_the_original():
    config = bq.Config(format="int8", group_size=32)
    other = config.replace(group_size=64)
    assert (config.group_size, other.group_size) == (32, 64)
    assert other.format == "int8"
    assert config != other and config != 32
    assert len({config, other, config.replace()}) == 2


def test_bad_options():
    with pytest.raises(bq.NotFoundError, match="group_sise"):
        bq.Config(group_sise=4)
    with pytest.raises(bq.InvalidArgumentError, match="group_size"):
        bq.Config(group_size=0)
    with pytest.raises(TypeError, match=r"group_size must be a str or int, got 1\.5"):
        bq.Config(group_size=1.5)
    with pytest.raises(TypeError, match="clip must be a str or float, got None"):
        bq.Config(clip=None)
    with pytest.raises(ValueError, match="group_size"):
        bq.Config(group_size=2**64 + 4)  # whose low 64 bits would be a legal 4
    with pytest.raises(ValueError, match="NUL"):
        bq.Config(format="int8\0")
    with pytest.raises(TypeError, match="format='int8'"):
        bq.quantize([1.0], "int8", copy=True)


def test_attributes():
    config = bq.Config()
    assert {"group_size", "format", "to_dict"} <= set(dir(config))
    with pytest.raises(AttributeError, match="no attribute or option 'group_sise'"):
        config.group_sise
    with pytest.raises(AttributeError):
        config.group_size = 3


def test_formats():
    formats = {f.name: f for f in bq.formats()}
    assert formats["ternary"]._replace(description="", min_group=1) == (
        "ternary", 1, "", 2, 1, False, -1, 1)
    assert formats["int8"]._replace(description="", min_group=1) == (
        "int8", 2, "", 8, 1, True, -128, 127)
    for f in formats.values():
        assert f.description and f.min_group >= 1
        bq.quantize([0.5, -1.0], bq.Config(format=f.name), copy=True)


def test_targets():
    targets = bq.targets()
    active = [t for t in targets if t.active]
    assert len(active) == 1
    # Best first: the active one is the first that the CPU can run.
    assert active[0] == next(t for t in targets if t.supported)


def test_version_and_metrics():
    assert bq.version() == bq.__version__
    assert bq.metrics()[:5] == ("mse", "mae", "max_error", "sqnr_db", "cosine")


def test_context():
    assert bq.Context().threads == 1
    assert bq.Context(threads=4).threads == 4
    assert bq.Context(threads=0).threads >= 1
    assert repr(bq.Context(threads=2)) == "Context(threads=2)"
    with pytest.raises(bq.InvalidArgumentError, match="threads"):
        bq.Context(threads=257)
    with pytest.raises(ValueError, match="threads"):
        bq.Context(threads=2**32)  # whose low 32 bits would be a legal 0
    with pytest.raises(TypeError, match="context must be a Context or None, got int"):
        bq.quantize([1.0], copy=True, context=4)
