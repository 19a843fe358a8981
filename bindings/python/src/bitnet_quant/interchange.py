"""Models to and from the layouts of other ecosystems.

    bq.export_file("model", "model-vllm", "compressed-tensors")
    bq.import_file("model.gguf", "model.bnq")
    bq.open_file("model.gguf").tensor("blk.0.ffn_up.weight")     # read where it is

Codes are transcoded, never derived anew from values; `ReportRow.verdict` says what else a
tensor loses.
"""
from __future__ import annotations

from typing import Any, NamedTuple, Optional

from . import _abi, registry
from . import context as contexts
from ._handles import StrPath, create, decode, encode_path
from ._loader import library
from ._options import Optioned, OptionValue
from .conversion import Report, optional_path, run_conversion
from .files import shard_bytes, write_flags
from .progress import Progress


class Layout(NamedTuple):
    """How another ecosystem holds quantized tensors."""

    #: As `export_file` takes it: "gptq".
    name: str
    description: str
    #: Whether its files can be opened, and written.
    readable: bool
    writable: bool


def layouts() -> tuple[Layout, ...]:
    """Every layout that the library has."""
    lib = library()

    def layout(index: int) -> Layout:
        flags = lib.bnq_layout_flags(index)
        return Layout(decode(lib.bnq_layout_name(index)),
                      decode(lib.bnq_layout_description(index)),
                      flags & _abi.LAYOUT_READ != 0, flags & _abi.LAYOUT_WRITTEN != 0)

    return tuple(layout(index) for index in range(lib.bnq_layout_count()))


def interchange_options() -> tuple[registry.Option, ...]:
    """Options of exports and imports, with names, bounds and descriptions."""
    return registry.list_options(registry.INTERCHANGE)


class _Interchange(Optioned):
    __slots__ = ()

    _prefix, _kind = "bnq_interchange", registry.INTERCHANGE

    def __init__(self, metadata_from: Optional[StrPath] = None, **options: OptionValue) -> None:
        self._handle = create(_abi.bnq_interchange, library().bnq_interchange_create,
                              destroy="bnq_interchange_destroy")
        self._set(options)
        if metadata_from is not None:
            library().bnq_interchange_set_metadata_from(
                self._handle, encode_path(metadata_from, "metadata_from"))


def export_file(input: StrPath, output: Optional[StrPath], layout: str, *,
                metadata_from: Optional[StrPath] = None, overwrite: bool = False,
                dry_run: bool = False, requantize: bool = False,
                max_shard_size: Optional[int] = None, progress: Optional[Progress] = None,
                context: Optional[contexts.Context] = None, **options: Any) -> Report:
    """Writes a model of any kind as other programs load it: into a file, or a folder with a
    config.json into a folder, whose config.json then says how it is quantized.

    layout: a name of `layouts()`: "compressed-tensors", "gguf", ...
    metadata_from: of exports to GGUF, a GGUF file of the same model, from which keys (the
        tokenizer among them) and names of tensors are taken.
    dry_run: verdicts and sizes from headers alone; `output` may then be None.
    requantize: quantize anew what the layout cannot hold otherwise, as closely as it can;
        without, the first such tensor is an UnsupportedError that names it and says why.
    options: of `interchange_options()`: scale_dtype="bf16", ...

    The rest as in quantize_file.
    """
    return run_conversion("bnq_export_file", progress, contexts.handle(context),
                          _Interchange(metadata_from, **options)._handle, _text(layout),
                          encode_path(input, "input"), optional_path(output),
                          write_flags(overwrite, dry_run=dry_run, requantize=requantize),
                          shard_bytes(max_shard_size))


def import_file(input: StrPath, output: Optional[StrPath], *, overwrite: bool = False,
                compress: bool = False, dry_run: bool = False, resume: bool = False,
                restart: bool = False, max_shard_size: Optional[int] = None,
                progress: Optional[Progress] = None,
                context: Optional[contexts.Context] = None, **options: Any) -> Report:
    """Writes a model of any layout as a .bnq file, or a folder into a folder, with the codes
    that it has. options: of `interchange_options()`: i2_s="x86", weight_scale="divide", ...
    The rest as in quantize_file."""
    return run_conversion("bnq_import_file", progress, contexts.handle(context),
                          _Interchange(**options)._handle, encode_path(input, "input"),
                          optional_path(output),
                          write_flags(overwrite, compress, dry_run, resume, restart),
                          shard_bytes(max_shard_size))


def _text(layout: str) -> bytes:
    if not isinstance(layout, str):
        raise TypeError(f"layout is a str, got {type(layout).__name__}")
    return layout.encode()
