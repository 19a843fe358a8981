"""Config and the registry it takes its keywords from."""
import copy
import json
import pickle

import bitnet_quant as bq
import numpy as np
import pytest

by_preset = pytest.mark.parametrize("preset", bq.presets(), ids=lambda preset: preset.name)
VALUES = np.random.default_rng(4).standard_normal((6, 200)).astype(np.float32)


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


def test_what_is_on_or_off_is_bool():
    switches = [option.name for option in bq.options() if option.type is bool]
    assert "double_quant" in switches
    for name in switches:
        for on in (True, "on", 1, "1"):
            assert getattr(bq.Config(**{name: on}), name) is True
        for off in (False, "off", 0):
            assert getattr(bq.Config(**{name: off}), name) is False
        with pytest.raises(TypeError, match=f"{name} must be a str or bool, got 1.0"):
            bq.Config(**{name: 1.0})


def check_round_trips(config):
    assert bq.Config.from_dict(config.to_dict()) == config
    assert bq.Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert bq.Config.from_text(config.text) == config
    assert str(config) == config.text
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    assert eval(repr(config), {"Config": bq.Config}) == config
    assert hash(eval(repr(config), {"Config": bq.Config})) == hash(config)


def test_round_trips():
    check_round_trips(bq.Config())
    # 0.1 + 0.2 takes all 17 digits.
    check_round_trips(bq.Config(format="int8", group_size=32, clip=0.1 + 0.2, axis=-1))
    for option in bq.options():
        for value in option.values or (option.min, option.max, option.default):
            check_round_trips(bq.Config(**{option.name: value}))


@by_preset
def test_presets(preset):
    assert preset.name and preset.description
    config = bq.Config.preset(preset.name)
    check_round_trips(config)
    assert config == bq.Config.from_text(preset.name)
    assert config == bq.Config.from_dict({"preset": preset.name})
    assert (bq.Config.preset(preset.name, seed=7) == config.replace(seed=7)
            == bq.Config.from_dict({"preset": preset.name, "seed": 7}) != config)
    tensor = bq.quantize(VALUES, preset.name)
    assert tensor.format == config.format
    assert np.array_equal(tensor.dequantize(), bq.quantize(VALUES, config).dequantize())
    assert bq.compare(VALUES, tensor).cosine > 0.7


def test_preset_names_are_unique():
    names = [preset.name for preset in bq.presets()]
    assert len(set(names)) == len(names) > 10


def test_bad_presets():
    for name in ("nf44", "format=int8", ""):
        with pytest.raises(bq.NotFoundError, match="nf4_double_quant"):
            bq.Config.preset(name)
    with pytest.raises(bq.NotFoundError, match="group_sise"):
        bq.Config.preset("nf4", group_sise=4)
    with pytest.raises(TypeError, match="preset must be a str, got 4"):
        bq.Config.from_dict({"preset": 4})
    with pytest.raises(bq.NotFoundError, match="nf44"):
        bq.quantize(VALUES, "nf44")


@pytest.mark.parametrize("mode, settings, format, bits", [
    ("none", {"format": "none"}, None, None),
    ("int8", {"preset": "int8_outliers", "outlier_threshold": 6.0}, "int8", 8),
    ("int8_dynamic", {"preset": "int8_dynamic"}, "int8", 8),
    ("nf4", {"preset": "nf4", "double_quant": True}, "nf4", 4),
    ("fp4", {"preset": "fp4", "double_quant": False}, "fp4", 4),
    ("int4", {"preset": "int4_per_group_32"}, "int4", 4),
])
def test_usual_modes_from_a_dictionary(mode, settings, format, bits):
    """The modes that quantizers of layers commonly have, by configuration file."""
    config = bq.Config.from_dict(json.loads(json.dumps(settings)))
    if format is None:
        with pytest.raises(bq.InvalidArgumentError, match="none"):
            bq.quantize(VALUES, config)
        return
    tensor = bq.quantize(VALUES, config)
    assert tensor.format == format
    assert bits < tensor.bits_per_weight < bits + 1.5
    for name, value in settings.items():
        if name != "preset":
            assert getattr(config, name) == value


def test_what_goes_with_a_format():
    int8, nf4 = (next(f for f in bq.formats() if f.name == name) for name in ("int8", "nf4"))
    assert int8.supports("scheme", "offset") and int8.supports("outlier_threshold", 6.5)
    assert nf4.supports("double_quant", True) and not nf4.supports("saturate", False)
    assert not nf4.supports("scheme", "offset")
    config = bq.Config(format="nf4", scheme="offset")
    for refused in (lambda: nf4.check("scheme", "offset"), config.check,
                    lambda: config.bits_per_weight, lambda: bq.quantize(VALUES, config)):
        with pytest.raises(bq.UnsupportedError, match="scheme = offset is not .* format nf4"):
            refused()
    with pytest.raises(bq.NotFoundError, match="did you mean"):
        nf4.supports("shceme", "offset")
    bq.Config(format="nf4").check()
    assert bq.Config.preset("nf4").bits_per_weight == 4.5


def test_what_is_hardly_meant():
    assert bq.Config(percentile=0.999).advice == (
        "percentile = 0.999 is of a hundred, did you mean 99.9?")
    assert bq.Config().advice == ""
    with pytest.raises(bq.InvalidArgumentError, match="did you mean 99.9?"):
        bq.Calibrator(percentile=0.999)


def test_repr_shows_what_is_not_at_its_default():
    assert repr(bq.Config()) == "Config(format='ternary')"
    assert repr(bq.Config(format="int4", double_quant=True, group_size=128)) == (
        "Config(format='int4', double_quant=True)")


def test_text():
    assert bq.Config(group_size=64, format="int8", scale_dtype="f16").text == (
        "format=int8,group_size=64,scale_dtype=f16")
    assert bq.Config.from_text(" nf4_double_quant , group_size = 128 ") == bq.Config.preset(
        "nf4_double_quant", group_size=128)
    # Wherever a config is taken, with options to change it.
    tensor = bq.quantize(VALUES, "format=int8,group_size=64", scheme="asymmetric")
    assert tensor.config == bq.Config(format="int8", group_size=64, scheme="asymmetric")
    assert bq.quantized_sizes((4, 128), "f16") == (1024, 0, 0)
    with pytest.raises(ValueError, match="NUL"):
        bq.Config.from_text("nf4\0")
    with pytest.raises(TypeError, match="text must be a str, got bytes"):
        bq.Config.from_text(b"nf4")


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
    with pytest.raises(TypeError, match="config must be a Config.*got int.*format='int8'"):
        bq.quantize([1.0], 8, copy=True)


def test_attributes():
    config = bq.Config()
    assert {"group_size", "format", "to_dict"} <= set(dir(config))
    with pytest.raises(AttributeError, match="no attribute or option 'group_sise'"):
        config.group_sise
    with pytest.raises(AttributeError):
        config.group_size = 3


def test_formats():
    formats = {f.name: f for f in bq.formats()}
    for expected in (("ternary", 1, "", 2, 1, False, -1, 1, True, True),
                     ("int8", 2, "", 8, 1, True, -128, 127, True, True),
                     ("int4", 3, "", 4, 1, True, -8, 7, True, True),
                     ("nf4", 4, "", 4, 1, False, 0, 15, False, True),
                     ("fp4", 5, "", 4, 1, False, 0, 15, False, True)):
        assert formats[expected[0]]._replace(description="", min_group=1) == expected
    for name in ("f16", "bf16"):
        assert (formats[name].code_bits, formats[name].asymmetric, formats[name].integer,
                formats[name].scaled) == (16, False, False, False)
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
