"""llama.cpp, by its C API: the logits that it computes with a GGUF file."""
import ctypes
import functools

import ggml
import numpy as np


class Params(ctypes.Structure):
    """llama_model_params or llama_context_params, of whatever version.

    Fields come and go with releases, so none is named but the first four of the contexts',
    whose defaults are looked at. The rest is as the library's own function sets it: it
    writes and reads the beginning of an object that is large enough. Both are structures of
    more than 16 bytes, which all ABIs pass in memory.
    """

    _fields_ = [("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32),
                ("n_ubatch", ctypes.c_uint32), ("n_seq_max", ctypes.c_uint32),
                ("rest", ctypes.c_uint64 * 126)]


class Batch(ctypes.Structure):
    """llama_batch, the same since 2023."""

    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
                ("embd", ctypes.POINTER(ctypes.c_float)),
                ("pos", ctypes.POINTER(ctypes.c_int32)),
                ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


_LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_messages = []


@_LOG
def _log(level, text, _):
    if level >= 3 or level == 5:  # warnings, errors, and what goes on with them
        _messages.append(text.decode(errors="replace"))


@functools.lru_cache(maxsize=None)
def library():
    """libllama with all that it needs. find.NotFound where there is none."""
    ggml.library()
    for name in ("ggml-cpu", "ggml"):
        ggml.load(name)
    llama, pointer = ggml.load("llama"), ctypes.c_void_p
    for name, result, arguments in (
            ("log_set", None, [_LOG, pointer]), ("backend_init", None, []),
            ("model_default_params", Params, []), ("context_default_params", Params, []),
            ("model_load_from_file", pointer, [ctypes.c_char_p, Params]),
            ("model_free", None, [pointer]), ("init_from_model", pointer, [pointer, Params]),
            ("free", None, [pointer]), ("model_get_vocab", pointer, [pointer]),
            ("vocab_n_tokens", ctypes.c_int32, [pointer]),
            ("batch_init", Batch, [ctypes.c_int32] * 3), ("batch_free", None, [Batch]),
            ("decode", ctypes.c_int32, [pointer, Batch]),
            ("get_logits_ith", ctypes.POINTER(ctypes.c_float), [pointer, ctypes.c_int32])):
        function = getattr(llama, "llama_" + name)
        function.restype, function.argtypes = result, arguments
    llama.llama_log_set(_log, None)
    llama.llama_backend_init()
    return llama


class LoadError(Exception):
    """What llama.cpp says of a file that it does not load."""


class Model:
    """A GGUF file that llama.cpp has loaded; a context manager."""

    def __init__(self, path):
        self.library = library()
        _messages.clear()
        self.model = self.library.llama_model_load_from_file(
            str(path).encode(), self.library.llama_model_default_params())
        if not self.model:
            raise LoadError("".join(_messages))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.llama_model_free(self.model)

    def logits(self, tokens, at_once):
        """float32 [tokens, vocabulary]: after each of the tokens, which are run at once
        (products of matrices) or one by one (of matrices and vectors)."""
        llama = self.library
        params = llama.llama_context_default_params()
        assert (params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max) == (
            512, 2048, 512, 1), "another beginning of llama_context_params"
        params.n_ctx = params.n_batch = 64
        context = llama.llama_init_from_model(self.model, params)
        if not context:
            raise LoadError("".join(_messages))
        vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        out = np.empty((len(tokens), vocabulary), np.float32)
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        step = len(tokens) if at_once else 1
        for start in range(0, len(tokens), step):
            batch.n_tokens = step
            for i in range(step):
                batch.token[i], batch.pos[i] = tokens[start + i], start + i
                batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 1, 0, 1
            status = llama.llama_decode(context, batch)
            assert status == 0, f"llama_decode: {status}: {''.join(_messages)}"
            for i in range(step):
                row = llama.llama_get_logits_ith(context, i)
                out[start + i] = np.ctypeslib.as_array(row, (vocabulary,))
        llama.llama_batch_free(batch)
        llama.llama_free(context)
        return out
