/* libbnq: low-bit quantization of neural-network weights and activations on
 * the CPU, behind a stable C ABI.
 *
 * Read top to bottom, this header teaches the library:
 *   1. conventions      ownership, errors, threads, shapes: read this once
 *   2. version, status, the last error
 *   3. registry         data types, formats, metrics, SIMD targets
 *   4. context          threads, allocator, parallel runner, log
 *   5. options, config  keyed options with bounds; what to quantize into
 *   6. arrays, tensors  quantize, inspect, dequantize, one or a batch
 *   7. metrics          how much was lost
 *   8. files            read and write .safetensors and .bnq
 *   9. plans, conversion, comparison of whole model files
 *  10. calibration         ranges of activations, from batches of values
 *  11. optimisation        parameters from a search
 *  12. post-training quantization: calibrated activations, whole models
 *  13. validation          distributions of values and errors
 *  14. operators           what networks compute, on quantized weights
 *  15. layer cache and layers: what was quantized before; models layer by layer
 *  16. training            fake quantization, gradients, statistics, schedules
 *  17. interchange         to and from what other ecosystems load
 *
 * CONVENTIONS
 *
 * Errors. Every function that can fail returns a bnq_status. On failure the
 *   outputs are untouched, except that handle outputs are set to NULL, and
 *   bnq_last_error() describes the cause in the calling thread, naming the
 *   parameter or tensor, its value and what is accepted. The library never
 *   aborts, never prints, and lets no C++ exception out. Functions that return
 *   something else than a status say what they return for bad arguments.
 * Ownership. Inputs are borrowed for the call only, unless said otherwise.
 *   X_create/X_open make a handle that X_destroy/X_close frees; destroying
 *   NULL does nothing; destroying a handle twice is undefined, as with free().
 *   A pointer returned by a getter lives as long as the handle it came from,
 *   or for ever where it is a name of the registry.
 * Threads. Every function may be called from any thread. One handle may be
 *   used by several threads at once only where its section says so: tensors,
 *   files opened for reading and reports may be shared; configs, plans,
 *   writers and contexts may be shared only while nobody modifies them, and
 *   operations of one context may run at the same time.
 * Floating point. While it works the library has an environment of its own, in
 *   every thread: rounding to nearest, subnormal numbers kept, no traps. Whatever
 *   the caller has set (or a library built with -ffast-math, by being loaded)
 *   changes no result, and is there again afterwards, exception flags included.
 *   Callbacks (progress, metric, log, a runner) are called in the caller's
 *   environment, and what they change of it stays; an allocator's functions are
 *   called in the library's.
 * Fork. The child of a fork() may use and destroy what its parent has made. The
 *   built-in pool of a context starts anew in it; a host's own runner must see to
 *   itself. What another thread of the parent was modifying at that moment
 *   (observing with a calibrator, say) stays half done in the child and may only
 *   be destroyed there, as may a writer, whose output is the parent's.
 * Shapes. Arrays are row-major and contiguous, of rank 0 to 8. Rank 0 is one
 *   element. Empty arrays (a dimension of 0) are legal. For the layout of
 *   codes and for groups an array is a matrix: rank 0 and 1 are one row; from
 *   rank 2 on, rows = shape[0] and columns = the product of the rest.
 * Determinism. The same input and options give the same codes, scales and
 *   files, byte for byte, on every CPU, SIMD target and number of threads.
 *   (With DEFLATE the compressed bytes also depend on the zlib used.)
 * Integers are of fixed width, sizes are uint64_t and are checked.
 * Strings are UTF-8 and NUL-terminated.
 * "Since" gives the release in which a function appeared; everything in this
 *   header is stable within one BNQ_ABI_VERSION.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BNQ_BNQ_H_
#define BNQ_BNQ_H_

#include <stdint.h>

#if defined(_WIN32)
#if defined(BNQ_BUILDING)
#define BNQ_API __declspec(dllexport)
#elif defined(BNQ_STATIC)
#define BNQ_API
#else
#define BNQ_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define BNQ_API __attribute__((visibility("default")))
#else
#define BNQ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------ */
/* 2. Version, status, the last error                                        */

#define BNQ_VERSION_MAJOR 0
#define BNQ_VERSION_MINOR 1
#define BNQ_VERSION_PATCH 0
/* major * 1000000 + minor * 1000 + patch: the encoding of bnq_version(). */
#define BNQ_VERSION \
  (BNQ_VERSION_MAJOR * 1000000 + BNQ_VERSION_MINOR * 1000 + BNQ_VERSION_PATCH)
/* Also the number in the SONAME. Functions, options and ids are only ever
 * added while it stays the same. */
#define BNQ_ABI_VERSION 1

/* The version of the library that is loaded, encoded as BNQ_VERSION. A binding
 * compares bnq_abi_version() with the BNQ_ABI_VERSION it was written for and
 * refuses another one. Never fail. Since 0.1. */
BNQ_API uint32_t bnq_version(void);
BNQ_API uint32_t bnq_abi_version(void);
/* "0.1.0". Since 0.1. */
BNQ_API const char* bnq_version_string(void);

typedef int32_t bnq_status;
enum {
  BNQ_OK = 0,
  /* A parameter is NULL, out of its range or contradicts another. */
  BNQ_ERROR_INVALID_ARGUMENT = 1,
  /* Legal, but this library or this format cannot do it. */
  BNQ_ERROR_UNSUPPORTED = 2,
  BNQ_ERROR_OUT_OF_MEMORY = 3,
  /* A file is truncated, damaged, or says what cannot be. */
  BNQ_ERROR_CORRUPT_FILE = 4,
  /* The system could not open, read, write or rename a file. */
  BNQ_ERROR_IO = 5,
  /* A result was asked for before there was any data. */
  BNQ_ERROR_NO_DATA = 6,
  /* A callback asked to stop. */
  BNQ_ERROR_CANCELLED = 7,
  /* A defect of the library; please report it. */
  BNQ_ERROR_INTERNAL = 8,
  /* NaN or infinity in values to be quantized. */
  BNQ_ERROR_NON_FINITE = 9,
  /* No file, tensor, format, option or data type of that name. */
  BNQ_ERROR_NOT_FOUND = 10,
  /* The output exists and may not be overwritten, or is also the input. */
  BNQ_ERROR_EXISTS = 11
};

/* "invalid argument", "corrupt file", ...; "unknown status" for a number that
 * is not a status. Never fails. Since 0.1. */
BNQ_API const char* bnq_status_name(bnq_status status);

/* What went wrong in the last call of this thread that returned a status other
 * than BNQ_OK; "" if none did. The pointer is valid until this thread's next
 * failing call. Never fails. Since 0.1. */
BNQ_API const char* bnq_last_error(void);

/* ------------------------------------------------------------------------ */
/* 3. Registry                                                               */

/* Data types of array elements: those of safetensors. Arrays to be quantized
 * are F64, F32, F16 or BF16; dequantized ones F32, F16 or BF16; every type can
 * be carried through a file. Ids are never reused. */
enum {
  BNQ_DTYPE_F32 = 1,
  BNQ_DTYPE_F16 = 2,
  BNQ_DTYPE_BF16 = 3,
  BNQ_DTYPE_F64 = 4,
  BNQ_DTYPE_I8 = 5,
  BNQ_DTYPE_U8 = 6,
  BNQ_DTYPE_I16 = 7,
  BNQ_DTYPE_U16 = 8,
  BNQ_DTYPE_I32 = 9,
  BNQ_DTYPE_U32 = 10,
  BNQ_DTYPE_I64 = 11,
  BNQ_DTYPE_U64 = 12,
  BNQ_DTYPE_BOOL = 13,
  BNQ_DTYPE_C64 = 14,
  BNQ_DTYPE_F8_E4M3 = 15,
  BNQ_DTYPE_F8_E5M2 = 16,
  BNQ_DTYPE_F8_E8M0 = 17,
  BNQ_DTYPE_F8_E4M3FNUZ = 18,
  BNQ_DTYPE_F8_E5M2FNUZ = 19,
  BNQ_DTYPE_F6_E2M3 = 20,
  BNQ_DTYPE_F6_E3M2 = 21,
  BNQ_DTYPE_F4 = 22
};

/* The safetensors spelling ("F32", "BF16", ...), or NULL for an unknown id.
 * Since 0.1. */
BNQ_API const char* bnq_dtype_name(int32_t dtype);
/* The id of a name, upper or lower case, or of another word for it ("float16",
 * "int8", "double"). NOT_FOUND. Since 0.1. */
BNQ_API bnq_status bnq_dtype_id(const char* name, int32_t* out_dtype);
/* Bits of one element (4 to 64), or 0 for an unknown id. Since 0.1. */
BNQ_API uint32_t bnq_dtype_bits(int32_t dtype);
/* 1 for a type whose arrays can be quantized, observed and compared (F64, F32,
 * F16, BF16), else 0. Since 0.1. */
BNQ_API int32_t bnq_dtype_is_source(int32_t dtype);
/* 1 for a type that tensors can be dequantized into (F32, F16, BF16), else 0.
 * Since 0.1. */
BNQ_API int32_t bnq_dtype_is_target(int32_t dtype);

/* Formats: how a quantized tensor is coded. Ids are never reused. */
enum {
  /* Not quantized: carried through as it is. */
  BNQ_FORMAT_NONE = 0,
  /* BitNet b1.58: codes -1, 0, +1, scale = mean of |x|; 2 or 1.6 bits a
   * weight (BNQ_OPT_PACKING). */
  BNQ_FORMAT_TERNARY = 1,
  /* 8-bit integers, symmetric (-127..127) or asymmetric (-128..127). */
  BNQ_FORMAT_INT8 = 2,
  /* 4-bit integers, symmetric (-7..7) or asymmetric (-8..7). */
  BNQ_FORMAT_INT4 = 3,
  /* 4-bit NormalFloat (QLoRA), as bitsandbytes: codes 0..15. */
  BNQ_FORMAT_NF4 = 4,
  /* 4-bit floating point as bitsandbytes (not OCP E2M1): codes 0..15. */
  BNQ_FORMAT_FP4 = 5,
  /* IEEE binary16 and bfloat16: no scales, 16 bits a weight. */
  BNQ_FORMAT_F16 = 6,
  BNQ_FORMAT_BF16 = 7,
  /* 2-, 3-, 5- and 6-bit integers, symmetric (-q..q, q = 1, 3, 15, 31) or
   * asymmetric (-q-1..q). */
  BNQ_FORMAT_INT2 = 8,
  BNQ_FORMAT_INT3 = 9,
  BNQ_FORMAT_INT5 = 10,
  BNQ_FORMAT_INT6 = 11,
  /* One bit: the sign, times the mean of |x| (BitNet, XNOR-Net). */
  BNQ_FORMAT_BINARY = 12,
  /* Floating point of OCP: 4 bits (MXFP4, NVFP4) and 8 bits (FP8). */
  BNQ_FORMAT_E2M1 = 13,
  BNQ_FORMAT_E4M3 = 14,
  BNQ_FORMAT_E5M2 = 15,
  /* 4, 8 and 16 values fitted to the tensor (Lloyd-Max) and stored with it
   * (BNQ_PART_CODEBOOK), times signed scales: codes 0..3, 0..7, 0..15. */
  BNQ_FORMAT_CODEBOOK2 = 16,
  BNQ_FORMAT_CODEBOOK3 = 17,
  BNQ_FORMAT_CODEBOOK4 = 18
};

/* The formats this library can quantize into, without NONE: ids for index
 * 0 .. bnq_format_count() - 1. INVALID_ARGUMENT for another index. Since 0.1.*/
BNQ_API uint32_t bnq_format_count(void);
BNQ_API bnq_status bnq_format_at(uint32_t index, int32_t* out_format);
/* "ternary", "binary", "int8", .. "int2", "nf4", "fp4", "codebook4", ..
 * "codebook2", "e4m3", "e5m2", "e2m1", "f16", "bf16", "none"; NULL for an
 * unknown id. Since 0.1. */
BNQ_API const char* bnq_format_name(int32_t format);
/* The id of a name, upper or lower case, or of another word for it ("float16",
 * "bfloat16"). NOT_FOUND lists the known names. Since 0.1. */
BNQ_API bnq_status bnq_format_id(const char* name, int32_t* out_format);
/* One sentence about the format; NULL for an unknown id. Since 0.1. */
BNQ_API const char* bnq_format_description(int32_t format);

/* Properties of a format, for bnq_format_property. */
enum {
  /* Bits of one packed code, in the default packing. */
  BNQ_FORMAT_CODE_BITS = 1,
  /* Smallest legal group size. */
  BNQ_FORMAT_MIN_GROUP = 2,
  /* 1 where BNQ_SCHEME_ASYMMETRIC is supported, else 0. */
  BNQ_FORMAT_ASYMMETRIC = 3,
  /* The least and the greatest code. */
  BNQ_FORMAT_MIN_CODE = 4,
  BNQ_FORMAT_MAX_CODE = 5,
  /* 1 where the codes are integers that value = code * scale stands for:
   * BNQ_OPT_ROUNDING applies, and BNQ_SCALE_RULE_ABSMEAN. */
  BNQ_FORMAT_INTEGER = 6,
  /* 1 where values have scales: every option about scales and who shares them
   * applies; 0 for f16 and bf16. */
  BNQ_FORMAT_SCALED = 7
};
/* UNSUPPORTED for an unknown property, NOT_FOUND for an unknown format. Since
 * 0.1. */
BNQ_API bnq_status bnq_format_property(int32_t format, int32_t property,
                                       int64_t* out_value);
/* Whether configs of a format may have an option (BNQ_OPTIONS_CONFIG) at a
 * value, both as bnq_options_set_text takes them: OK, or UNSUPPORTED with the
 * sentence in bnq_last_error() that quantizing would fail with. Other options
 * may have to be of certain values beside it: of a whole config, ask
 * bnq_config_check. NOT_FOUND for an unknown format or option,
 * INVALID_ARGUMENT for a value that it does not have. Since 0.1. */
BNQ_API bnq_status bnq_format_supports(int32_t format, const char* option,
                                       const char* value);

/* Metrics of a comparison: positions in the caller's double array. Only ever
 * appended to. a is the original, b the other, e = a - b. */
enum {
  /* mean of e^2 */
  BNQ_METRIC_MSE = 0,
  /* mean of |e| */
  BNQ_METRIC_MAE = 1,
  /* greatest |e| */
  BNQ_METRIC_MAX_ERROR = 2,
  /* 10 log10(sum a^2 / sum e^2), in dB; +infinity where e is 0 throughout,
   * -infinity where only a is. */
  BNQ_METRIC_SQNR_DB = 3,
  /* sum ab / sqrt(sum a^2 sum b^2), in -1..1; 1 where both are 0 throughout,
   * 0 where one of them is. */
  BNQ_METRIC_COSINE = 4,
  BNQ_NUM_METRICS = 5
};
/* The number of metrics of the loaded library, and their names: "mse", "mae",
 * "max_error", "sqnr_db", "cosine"; NULL for another index. Since 0.1. */
BNQ_API uint32_t bnq_metric_count(void);
BNQ_API const char* bnq_metric_name(uint32_t index);

/* The one of count names that somebody may have meant who wrote text: the
 * nearest, if few letters differ; else NULL, as for bad arguments. What the
 * library's own errors suggest for its names, for those of a host. Since 0.1.
 */
BNQ_API const char* bnq_suggest(const char* text, const char* const* names,
                                uint64_t count);

/* SIMD targets compiled into the library, best first; the best one that the
 * CPU supports is active. bnq_target_name is NULL and bnq_target_supported is
 * 0 for an index of bnq_target_count() or more. Since 0.1. */
BNQ_API uint32_t bnq_target_count(void);
BNQ_API const char* bnq_target_name(uint32_t index);
BNQ_API int32_t bnq_target_supported(uint32_t index);
BNQ_API const char* bnq_target_active(void);

/* ------------------------------------------------------------------------ */
/* 4. Context                                                                */

/* Where work runs and memory comes from. Wherever a bnq_context* is taken NULL
 * stands for the defaults: one thread, malloc, no log. */
typedef struct bnq_context bnq_context;

/* Bulk memory: codes, scales, scratch space and file buffers come from alloc
 * and go back to free; small bookkeeping (names, lists) uses the C++ heap.
 * alloc returns memory aligned as malloc's, or NULL for want of it; both are
 * called from any thread. Frozen layout. */
typedef struct bnq_allocator {
  void* (*alloc)(void* opaque, uint64_t bytes);
  void (*free)(void* opaque, void* ptr);
  void* opaque;
} bnq_allocator;

/* A task of the library: the host's runner calls it once for every index. It
 * does not throw or longjmp, and sets the floating-point environment that it
 * needs, and then the thread's own again. */
typedef void (*bnq_task_fn)(void* task_opaque, uint64_t index, uint32_t worker);

/* A host's own thread pool in place of the built-in one. run calls
 * task(task_opaque, i, w) exactly once for each i in 0 .. count - 1, in any
 * order, from any threads, where no two calls at one time have the same w, and
 * w < workers; it returns 0 when all calls have returned, or non-zero if it
 * could not run them, which fails the operation with INTERNAL. Frozen layout.
 */
typedef struct bnq_runner {
  int32_t (*run)(void* opaque, uint64_t count, bnq_task_fn task,
                 void* task_opaque);
  void* opaque;
  uint32_t workers;
} bnq_runner;

enum { BNQ_LOG_WARNING = 1, BNQ_LOG_INFO = 2 };
/* A line of text without a newline, from the thread that called the library;
 * message is valid for the call. */
typedef void (*bnq_log_fn)(void* opaque, int32_t level, const char* message);

/* Called by long operations on the calling thread: done of total units (bytes
 * of input), and the name of the tensor being worked on. Returning non-zero
 * cancels the operation, which then fails with CANCELLED and leaves nothing
 * behind but what a conversion with RESUME goes on with. */
typedef int32_t (*bnq_progress_fn)(void* opaque, uint64_t done, uint64_t total,
                                   const char* item);

/* A context with one thread. allocator may be NULL (malloc); it is copied, its
 * functions must outlive the context and everything made with it. A handle
 * made with a context may outlive that context. OUT_OF_MEMORY,
 * INVALID_ARGUMENT (an allocator without both functions). Since 0.1. */
BNQ_API bnq_status bnq_context_create(const bnq_allocator* allocator,
                                      bnq_context** out_context);
BNQ_API void bnq_context_destroy(bnq_context* context);
/* Threads of the built-in pool, 1 to 256; 0 takes one for each processor the
 * process may use. The result never depends on it. The pool starts on first
 * use, and in the child of a fork on the first use there. Not while an
 * operation of this context runs. Since 0.1. */
BNQ_API bnq_status bnq_context_set_threads(bnq_context* context,
                                           int32_t threads);
/* The number of threads operations of this context use (a runner's workers
 * where one is set); 1 for NULL. Since 0.1. */
BNQ_API int32_t bnq_context_threads(const bnq_context* context);
/* A runner in place of the built-in pool; copied; NULL takes the pool again.
 * INVALID_ARGUMENT for no run function or workers not in 1..4096. Since 0.1. */
BNQ_API bnq_status bnq_context_set_runner(bnq_context* context,
                                          const bnq_runner* runner);
/* Messages up to `level` (BNQ_LOG_*) go to log; NULL for none. log must remain
 * callable while the context and what was made with it lives. Since 0.1. */
BNQ_API bnq_status bnq_context_set_log(bnq_context* context, bnq_log_fn log,
                                       void* opaque, int32_t level);

/* Asked between pieces of work whether to go on; non-zero: no. */
typedef int32_t (*bnq_interrupt_fn)(void* opaque);

/* Makes every operation of this context, also one without a progress parameter,
 * ask `interrupt`, on the thread that called the library and at least every
 * 100 ms of work (with a runner that leaves the work to other threads, between
 * its runs). Where it says no the operation fails with CANCELLED and leaves
 * what any failure leaves. For Ctrl-C, a deadline, a cancellation token. NULL
 * for none. It must remain callable while the context, and writers made with
 * it, live. INVALID_ARGUMENT for context = NULL. Since 0.1. */
BNQ_API bnq_status bnq_context_set_interrupt(bnq_context* context,
                                             bnq_interrupt_fn interrupt,
                                             void* opaque);

/* Whether files are mapped into memory (1, the default) or read into it (0) by
 * every function that takes a path: see bnq_file_open. With 0 memory grows with
 * the files. Since 0.1. */
BNQ_API bnq_status bnq_context_set_mapping(bnq_context* context,
                                           int32_t mapping);

/* From now on what operations of this context write is complete and synced, but
 * stays in temporary files until bnq_context_place_outputs puts all of it in
 * its places. So a program can write several files as one, or report on its
 * work first, and old files are still there if that fails. Destroying the
 * context removes what has not been placed. Since 0.1. */
BNQ_API bnq_status bnq_context_hold_outputs(bnq_context* context);
/* EXISTS where an output has appeared meanwhile that may not be overwritten,
 * IO: none of them is there, what was there before is there again, and nothing
 * is held any more. Since 0.1. */
BNQ_API bnq_status bnq_context_place_outputs(bnq_context* context);

/* ------------------------------------------------------------------------ */
/* 5. Options and config                                                     */

/* OPTIONS. Some handles are sets of options, each an integer or a float with
 * bounds, a name and a default: configs, calibrators, optimizers, operators,
 * caches (and tensors, which have a config's). Their ids are those of the handle's section, and one
 * set of functions works on all of them: X_options(x) are a handle's options to
 * be read, X_settings(x) the same ones to be changed.
 *
 *   bnq_options_set_text(bnq_config_settings(config), "format", "int8");
 *   bnq_options_set_int(bnq_config_settings(config), BNQ_OPT_GROUP_SIZE, 64);
 *
 * Options are a part of the handle, and live as long as it: nothing is to be
 * freed. Both are NULL where the handle is NULL, which the functions below
 * refuse. They are for the threads that may use the handle.
 *
 * An option's value is checked when it is set: INVALID_ARGUMENT names the
 * bounds, UNSUPPORTED is for an id that the library does not know, or an option
 * of the other type, NOT_FOUND for an unknown name. Whether options agree is
 * checked when they are used. */
typedef struct bnq_options bnq_options;

/* Kinds of handles with options. Ids are never reused. */
enum {
  BNQ_OPTIONS_CONFIG = 1,
  BNQ_OPTIONS_CALIBRATOR = 2,
  BNQ_OPTIONS_OPTIMIZER = 3,
  BNQ_OPTIONS_OPERATOR = 4,
  BNQ_OPTIONS_CACHE = 6,
  BNQ_OPTIONS_TRAINING = 7,
  BNQ_OPTIONS_PHASE = 8,
  BNQ_OPTIONS_INTERCHANGE = 9
};

/* The kind of the handle that has them; 0 for NULL. Since 0.1. */
BNQ_API int32_t bnq_options_kind(const bnq_options* options);
/* A float option takes a value that rounds to the same float32 as a bound for
 * that bound. Since 0.1. */
BNQ_API bnq_status bnq_options_set_int(bnq_options* options, int32_t option,
                                       int64_t value);
BNQ_API bnq_status bnq_options_set_float(bnq_options* options, int32_t option,
                                         double value);
/* Sets an option by its name and a value's name or number: ("format", "int8"),
 * ("group_size", "64"), ("scheme", "asymmetric"). Names of values in upper or
 * lower case; other words for types are understood ("float16" for "f16").
 * INVALID_ARGUMENT lists what is accepted. Since 0.1. */
BNQ_API bnq_status bnq_options_set_text(bnq_options* options,
                                        const char* option, const char* value);
BNQ_API bnq_status bnq_options_get_int(const bnq_options* options,
                                       int32_t option, int64_t* out_value);
BNQ_API bnq_status bnq_options_get_float(const bnq_options* options,
                                         int32_t option, double* out_value);
/* The value of an option as bnq_options_set_text takes it, with its NUL into
 * text[size]; *out_size receives the bytes that takes. text may be NULL with
 * size 0 to ask for them; INVALID_ARGUMENT where size is too small. Either of
 * text and out_size may be NULL. Since 0.1. */
BNQ_API bnq_status bnq_options_get_text(const bnq_options* options,
                                        const char* option, char* text,
                                        uint64_t size, uint64_t* out_size);

/* What is accepted but hardly meant, to be shown to people: "percentile = 0.999
 * is of a hundred, did you mean 99.9?"; empty where there is nothing to say. As
 * bnq_options_get_text. Since 0.1. */
BNQ_API bnq_status bnq_options_advice(const bnq_options* options, char* text,
                                      uint64_t size, uint64_t* out_size);

/* The kinds of the loaded library, for index 0 .. bnq_option_kind_count() - 1,
 * and their names: "config", "calibrator", "optimizer", "operator", "cache" (NULL
 * for an unknown kind). INVALID_ARGUMENT for another index. Since 0.1. */
BNQ_API uint32_t bnq_option_kind_count(void);
BNQ_API bnq_status bnq_option_kind_at(uint32_t index, int32_t* out_kind);
BNQ_API const char* bnq_option_kind_name(int32_t kind);
/* The options of a kind, for index 0 .. bnq_option_count(kind) - 1 (0 for an
 * unknown kind, UNSUPPORTED elsewhere). Since 0.1. */
BNQ_API uint32_t bnq_option_count(int32_t kind);
BNQ_API bnq_status bnq_option_at(int32_t kind, uint32_t index,
                                 int32_t* out_option);
/* An option's name, which is that of its id in lower case ("group_size" for
 * BNQ_OPT_GROUP_SIZE), and one sentence about it, without a period; NULL for an
 * unknown option. Since 0.1. */
BNQ_API const char* bnq_option_name(int32_t kind, int32_t option);
BNQ_API const char* bnq_option_description(int32_t kind, int32_t option);
/* The id of a name. NOT_FOUND lists the names. Since 0.1. */
BNQ_API bnq_status bnq_option_id(int32_t kind, const char* name,
                                 int32_t* out_option);
enum { BNQ_OPTION_INT = 0, BNQ_OPTION_FLOAT = 1 };
/* Type (BNQ_OPTION_*), inclusive bounds and default; any output may be NULL.
 * UNSUPPORTED for an unknown option. Since 0.1. */
BNQ_API bnq_status bnq_option_bounds(int32_t kind, int32_t option,
                                     int32_t* out_type, double* out_min,
                                     double* out_max, double* out_default);
/* The name of an integer option's value ("group", "symmetric"), which is that
 * of its id in lower case, and what it means, in part of a sentence; NULL where
 * values are plain numbers, and for one that is not accepted. Since 0.1. */
BNQ_API const char* bnq_option_value_name(int32_t kind, int32_t option,
                                          int64_t value);
BNQ_API const char* bnq_option_value_description(int32_t kind, int32_t option,
                                                 int64_t value);

/* CONFIG. What to quantize into. A format may not support an otherwise legal
 * combination of options: UNSUPPORTED, when the config is used. */
typedef struct bnq_config bnq_config;

/* Options. Ids are never reused; an older library answers UNSUPPORTED. */
enum {
  /* int: BNQ_FORMAT_*; default ternary. With NONE a plan carries tensors
   * through; an array cannot be quantized into it. */
  BNQ_OPT_FORMAT = 1,
  /* int: BNQ_GRANULARITY_*; default group. */
  BNQ_OPT_GRANULARITY = 2,
  /* int: columns of a group, elements of a block, or rows and columns of a
   * tile, from the format's smallest up; default 128. The last group of a row,
   * the last block, and the tiles at a matrix's right and lower edge are short
   * where the size does not divide it. */
  BNQ_OPT_GROUP_SIZE = 3,
  /* int: the dimension of per-channel parameters, -8..7, negative from the
   * end; default 0 (the output channels of a weight matrix). */
  BNQ_OPT_AXIS = 4,
  /* int: BNQ_SCHEME_*; default symmetric. */
  BNQ_OPT_SCHEME = 5,
  /* float: values beyond +-clip count as +-clip; 0 (default) for none. One that
   * float32 would round to 0 is refused. float64 is clipped before it is
   * rounded to float32. */
  BNQ_OPT_CLIP = 6,
  /* int: BNQ_NON_FINITE_*; default error. */
  BNQ_OPT_NON_FINITE = 7,
  /* int: BNQ_ROUNDING_*, of integer formats; default half to even. */
  BNQ_OPT_ROUNDING = 8,
  /* int: seed of stochastic rounding, 0 to 2^53; default 0. */
  BNQ_OPT_SEED = 9,
  /* int: BNQ_SCALE_RULE_*; default the format's own. */
  BNQ_OPT_SCALE_RULE = 10,
  /* float: of BNQ_SCALE_RULE_PERCENTILE, in percent, 0 to 100; default 99.9. */
  BNQ_OPT_PERCENTILE = 11,
  /* int: BNQ_SYMMETRIC_RANGE_*, of int8 and int4; default narrow. */
  BNQ_OPT_SYMMETRIC_RANGE = 12,
  /* int: BNQ_SCALE_DTYPE_*; default float32. */
  BNQ_OPT_SCALE_DTYPE = 13,
  /* int: 1 stores the scales in 8 bits with scales of their own (about 8.13
   * bits a scale), 0 (default) does not. Only with float32 scales. */
  BNQ_OPT_DOUBLE_QUANT = 14,
  /* int: BNQ_PACKING_*; default the format's own. */
  BNQ_OPT_PACKING = 15,
  /* float: t > 0 keeps every column of the last dimension in which some |x| >=
   * t out of the codes, in 16 bits (LLM.int8); 0 (default) keeps none. Of
   * integer formats with granularity token. */
  BNQ_OPT_OUTLIER_THRESHOLD = 16,
  /* int: of e4m3 and e5m2, 1 (default) takes what is beyond their greatest value
   * for it, 0 for NaN (e4m3) or infinity (e5m2), as conversions of PyTorch do.
   * Only values clipped by their scale are: those of a percentile, a given
   * scale, or BNQ_SCALE_DTYPE_E8M0. */
  BNQ_OPT_SATURATE = 17
};

/* How many elements share a scale. */
enum {
  BNQ_GRANULARITY_TENSOR = 0,
  /* one index of dimension BNQ_OPT_AXIS */
  BNQ_GRANULARITY_CHANNEL = 1,
  /* BNQ_OPT_GROUP_SIZE columns of a row */
  BNQ_GRANULARITY_GROUP = 2,
  /* the last dimension: a token of activations [..., tokens, features] */
  BNQ_GRANULARITY_TOKEN = 3,
  /* BNQ_OPT_GROUP_SIZE elements of the flattened array, across rows, whose
   * codes are then packed as one row: the layout of bitsandbytes */
  BNQ_GRANULARITY_BLOCK = 4,
  /* BNQ_OPT_GROUP_SIZE x BNQ_OPT_GROUP_SIZE elements of a matrix: of the last
   * two dimensions, those before them count matrices (rank 0 and 1: one row).
   * With e4m3, 128 and float32 scales that of DeepSeek-V3, whose
   * weight_scale_inv the scales are */
  BNQ_GRANULARITY_TILE = 5
};
/* symmetric: value = code * scale. asymmetric: value = (code - zero point) *
 * scale, over the range of the values and 0. offset: value = code * scale +
 * offset, codes from 0 to 2^bits - 1, over the range of the values alone: the
 * least is the offset, stored as the scales are (BNQ_PART_OFFSETS): MLX's affine
 * mode, ggml's Q4_1. Offsets are made for integer formats of 2 to 8 bits, not
 * with BNQ_SCALE_DTYPE_E8M0 or _E4M3 or outliers; what is beyond a quarter of
 * the greatest float32 counts as that; int8 codes read as int8
 * (bnq_tensor_unpack) are 128 less than those stored, and so by 2^(bits - 1) for
 * the others. */
enum {
  BNQ_SCHEME_SYMMETRIC = 0,
  BNQ_SCHEME_ASYMMETRIC = 1,
  BNQ_SCHEME_OFFSET = 2
};
/* NaN and infinity in the input: refuse (NON_FINITE names the first index),
 * count as 0, or keep (f16 and bf16 only, which also lets finite values
 * overflow to infinity; else that is refused as well). */
enum {
  BNQ_NON_FINITE_ERROR = 0,
  BNQ_NON_FINITE_ZERO = 1,
  BNQ_NON_FINITE_KEEP = 2
};
/* How x / scale becomes a code of integer formats. -0.5, 0.5, 1.5, 2.5 become: */
enum {
  BNQ_ROUNDING_HALF_EVEN = 0,   /* 0, 0, 2, 2 */
  BNQ_ROUNDING_HALF_AWAY = 1,   /* -1, 1, 2, 3 */
  BNQ_ROUNDING_HALF_UP = 2,     /* 0, 1, 2, 3 */
  BNQ_ROUNDING_FLOOR = 3,       /* -1, 0, 1, 2 */
  BNQ_ROUNDING_CEIL = 4,        /* 0, 1, 2, 3 */
  BNQ_ROUNDING_TOWARD_ZERO = 5, /* 0, 0, 1, 2 */
  /* Up with the probability of the fraction: floor(v) + (u < v - floor(v)),
   * where u is 24 bits of Philox4x32-10 (Salmon et al., SC 2011), keyed by
   * BNQ_OPT_SEED and counted by the element's index, so the same everywhere. */
  BNQ_ROUNDING_STOCHASTIC = 6,
  /* 0, 0, 1, 2. Also of e2m1, e4m3 and e5m2 (which else are rounded half_even):
   * to the nearest number, of two equally near the one nearer 0, and what is
   * rounded to 0 is 0, never -0: with the preset mxfp4 what ggml makes. */
  BNQ_ROUNDING_HALF_TOWARD_ZERO = 7
};
/* What a scale is made from, for the elements that share it. */
enum {
  /* absmean for ternary, absmax (asymmetric: minimum and maximum) for others */
  BNQ_SCALE_RULE_DEFAULT = 0,
  BNQ_SCALE_RULE_ABSMAX = 1,
  /* ternary: mean |x|; int8, int4: 2 mean|x| / sqrt(greatest code), the start
   * of LSQ (arXiv:1902.08153). Symmetric integer formats. */
  BNQ_SCALE_RULE_ABSMEAN = 2,
  /* The value that BNQ_OPT_PERCENTILE percent of |x| do not exceed in
   * place of the greatest: that of rank ceil(percentile * n / 100) of n,
   * computed exactly (99.9 percent of 1000 are 999); asymmetric: half of the
   * rest is cut at each end. */
  BNQ_SCALE_RULE_PERCENTILE = 3,
  /* The least squared error found by a search among ranges to both sides of
   * that of absmax: never worse than absmax, the default rule, or the best of
   * 0.8, 0.804, .. 1.2 times absmax; mostly better. Where scales are stored as
   * codes of 8 bits together (double_quant, e4m3) the codes next to the nearest
   * are tried, too (not of double quantized nf4 and fp4, which keep
   * bitsandbytes' bytes). Errors are weighted by the importance of columns,
   * where it is given (bnq_tensor_quantize_weighted). */
  BNQ_SCALE_RULE_MSE = 4
};
/* The codes and scale of symmetric integers, for q = 127 (int8) or 7 (int4). */
enum {
  /* -q..q, absmax / q: nothing is clipped. */
  BNQ_SYMMETRIC_RANGE_NARROW = 0,
  /* -q-1..q, absmax / (q + 0.5): PyTorch's; +absmax is clipped. */
  BNQ_SYMMETRIC_RANGE_FULL = 1,
  /* -q-1..q, (the first x of the greatest |x|) / (-q - 1), so maybe negative:
   * ggml's. With the scale rules default, absmax and mse. */
  BNQ_SYMMETRIC_RANGE_EXTREME = 2
};
/* How scales are stored; codes are made with the scale as stored. A scale that
 * float16 cannot hold becomes its greatest or least positive value, never
 * infinity or 0 (bnq_tensor_saturated_scales). */
enum {
  BNQ_SCALE_DTYPE_F32 = 0,
  BNQ_SCALE_DTYPE_F16 = 1,
  BNQ_SCALE_DTYPE_BF16 = 2,
  /* A power of two, 2^(byte - 127) (OCP MX 1.0). Of e2m1, e4m3 and e5m2 by the
   * rule of its section 6.3: that of the greatest value's exponent less the
   * format's greatest exponent (2, 8, 15), which may clip; of others the least
   * power of two that clips nothing, of binary the nearest one (of two the
   * lower). 0 is stored as 2^-127, which binary, without a code for 0, makes of
   * zeros. Not with BNQ_SYMMETRIC_RANGE_EXTREME. */
  BNQ_SCALE_DTYPE_E8M0 = 3,
  /* OCP FP8, times a float32 for the whole tensor (BNQ_PART_TENSOR_SCALE): the
   * greatest scale / 448. Of a scale that is not 0 never 0. */
  BNQ_SCALE_DTYPE_E4M3 = 4
};
/* How codes become bytes; see bnq_tensor. */
enum {
  BNQ_PACKING_DEFAULT = 0,
  /* Ternary at 1.6 bits: five codes to a byte. */
  BNQ_PACKING_BASE3 = 1
};

/* A config with every option at its default. Since 0.1. */
BNQ_API bnq_status bnq_config_create(bnq_config** out_config);
BNQ_API bnq_status bnq_config_clone(const bnq_config* config,
                                    bnq_config** out_config);
BNQ_API void bnq_config_destroy(bnq_config* config);
/* Of the kind BNQ_OPTIONS_CONFIG. Since 0.1. */
BNQ_API const bnq_options* bnq_config_options(const bnq_config* config);
BNQ_API bnq_options* bnq_config_settings(bnq_config* config);

/* Two configs are equal if all their options are: *out_equal is 1 or 0. Since
 * 0.1. */
BNQ_API bnq_status bnq_config_equal(const bnq_config* a, const bnq_config* b,
                                    int32_t* out_equal);

/* OK where options and format go together; else UNSUPPORTED with the sentence
 * in bnq_last_error() that quantizing would fail with, or INVALID_ARGUMENT
 * where the format is NONE. What a shape may not fit (an axis that it does not
 * have) is not asked for. Since 0.1. */
BNQ_API bnq_status bnq_config_check(const bnq_config* config);

/* The bits that a weight of a large matrix takes, one of 4096 rows and columns,
 * with its share of scales and all other parts, without outliers. Errors as
 * bnq_config_check. Since 0.1. */
BNQ_API bnq_status bnq_config_bits_per_weight(const bnq_config* config,
                                              double* out_bits);

/* The config as text: "format=int4,group_size=64,scale_rule=mse", the format
 * first, then every option that is not at its default. Into text[size] with
 * its NUL; *out_size receives the bytes that takes. text may be NULL with size
 * 0 to ask for them; INVALID_ARGUMENT where size is too small. Either of text
 * and out_size may be NULL. Since 0.1. */
BNQ_API bnq_status bnq_config_to_text(const bnq_config* config, char* text,
                                      uint64_t size, uint64_t* out_size);
/* The reverse, from option=value items (as bnq_options_set_text) between
 * commas; blanks around them do not count. The first item may be a name that
 * bnq_config_from_preset takes, to which the others are then applied:
 * "nf4_double_quant,group_size=128", "int8,granularity=channel"; or bits=NUMBER
 * for what is usual for codes of 1, 1.58, 2, 3, 4, 5, 6, 8, 16 or 32 bits (32:
 * none). NOT_FOUND, INVALID_ARGUMENT. Since 0.1. */
BNQ_API bnq_status bnq_config_from_text(const char* text,
                                        bnq_config** out_config);

/* Presets: configs with names. bnq_preset_name and _description are NULL for an
 * index of bnq_preset_count() or more. Since 0.1. */
BNQ_API uint32_t bnq_preset_count(void);
BNQ_API const char* bnq_preset_name(uint32_t index);
BNQ_API const char* bnq_preset_description(uint32_t index);
/* The config of a preset's name or, where there is no such preset, a format's,
 * in upper or lower case: what the first item of a config's text may be.
 * NOT_FOUND lists the names. Since 0.1. */
BNQ_API bnq_status bnq_config_from_preset(const char* name,
                                          bnq_config** out_config);

/* ------------------------------------------------------------------------ */
/* 6. Arrays and tensors                                                     */

/* A view of an array: row-major, contiguous, native byte order. data may be
 * unaligned, and NULL where there are no elements; shape has rank entries and
 * may be NULL for rank 0. Frozen layout. */
typedef struct bnq_array {
  const void* data;
  const uint64_t* shape;
  int32_t dtype;
  int32_t rank;
} bnq_array;

/* Rank 0 to BNQ_MAX_RANK. */
#define BNQ_MAX_RANK 8

/* A quantized tensor: codes, scales, zero points, and how they were made.
 * Immutable: any number of threads may use one at once.
 *
 * Codes are packed in rows, each starting on a byte: those of the array as a
 * matrix [dims[0], the rest] (granularity block: the whole array is one row;
 * tile: a row is of the last dimension). Element j of a row is, for
 *   int8           byte j, two's complement
 *   ternary        bits 2 (j mod 4) and up of byte j / 4, as code + 1
 *   ternary base3  digit j mod 5 of byte j / 5, the first the most significant:
 *                  byte = ceil(v * 256 / 243), v the number of the five
 *                  base-3 digits code + 1 (ggml's form of it)
 *   int4           bits 4 (j mod 2) and up of byte j / 2, as code + 8
 *   int2           bits 2 (j mod 4) and up of byte j / 4, as code + 2
 *   int3, 5, 6     bits b (j mod 8) and up of the little-endian number of b
 *                  bytes from byte b (j / 8) on, b = 3, 5 or 6, as code + 4, 16
 *                  or 32: int3's -4, -3, .., 3 are 88 C6 FA
 *   binary         bit j mod 8 of byte j / 8: 1 for +1, 0 for -1
 *   nf4, fp4       the high half of byte j / 2 for even j, the low one for odd
 *   e2m1           bits 4 (j mod 2) and up of byte j / 2
 *   codebook4, 3, 2  as int4, int3 and int2, as the code itself
 *   e4m3, e5m2     byte j
 *   f16, bf16      bytes 2j and 2j + 1, little-endian
 * and what is left of a row's last byte is 0 (nf4, fp4: the code of value 0).
 *
 * Parameters: one for the tensor; one for each channel, token or block; or for
 * each row its groups in order (rows x ceil(columns / group size)); or for each
 * matrix its tiles, row by row of them (ceil(rows / group size) x ceil(columns /
 * group size)). Scales are
 * stored as float32, float16, bfloat16, e8m0, e4m3, or double quantized (QLoRA): n codes
 * of 8 bits, zeros up to a multiple of 4 bytes, then as float32 the greatest
 * |scale - offset| of each 256 scales, and the offset, the mean of the scales:
 * scale i = map[code i] * greatest[i / 256] + offset, with the map of
 * bnq_dynamic_map. Codes are then made with these scales (one below 1.18e-38 as
 * with 0), and so with e4m3 scales times that of the tensor; nf4 and fp4 make
 * them with the exact ones, before they are double quantized, as bitsandbytes
 * does. Zero points are int8; offsets are stored as the scales are, apart.
 * A codebook is 2^b float32 for the tensor, ascending, within -2 to 2: value =
 * codebook[code] * scale.
 *
 * Outliers (BNQ_OPT_OUTLIER_THRESHOLD): the indices, ascending, of k columns of
 * the last dimension, and their values, [elements / columns, k], as float16, or
 * bfloat16 where the source is, or where float16 would overflow. Their codes
 * are 0. */
typedef struct bnq_tensor bnq_tensor;

/* Quantizes source (F64, F32, F16 or BF16) as config says; F64 is rounded to
 * float32 first. The formulas are those at the top of
 * core/formats/<format>.cc. Codes are made by multiplying with 1 / scale,
 * rounded to float32, where others (ONNX) divide: x next to the middle of two
 * codes may come out one apart. Elements that are all 0, or none, have scale 0
 * and zero point 0, and decode to 0; an array without elements has no scales
 * but one for the tensor, 0. NON_FINITE (names the index),
 * UNSUPPORTED, INVALID_ARGUMENT, OUT_OF_MEMORY, CANCELLED. Since 0.1. */
BNQ_API bnq_status bnq_tensor_quantize(bnq_context* context,
                                       const bnq_config* config,
                                       const bnq_array* source,
                                       bnq_tensor** out_tensor);

/* The same with the importance of each column of the last dimension, as many
 * weights as it has: parameters (and a codebook) are those of the least sum of
 * importance * (x - value)^2. Usually E[x^2] of the layer's input features, so
 * that what is made small is the error of its outputs. Weights are finite, not
 * negative and not all 0; only their ratios count. INVALID_ARGUMENT, naming the
 * index or number, where they are not, and where the config does not search
 * (it takes scale_rule mse and a format other than binary, f16 and bf16).
 * Since 0.1. */
BNQ_API bnq_status bnq_tensor_quantize_weighted(bnq_context* context,
                                                const bnq_config* config,
                                                const bnq_array* source,
                                                const float* importance,
                                                uint64_t importance_count,
                                                bnq_tensor** out_tensor);

/* The sizes of what quantizing an array of this shape gives: bytes of packed
 * codes, bytes of scales as they are stored, and number of zero points (int8;
 * one for each scale if asymmetric, else 0). Any output may be NULL. Since 0.1.
 */
BNQ_API bnq_status bnq_quantized_sizes(const bnq_config* config, int32_t rank,
                                       const uint64_t* shape,
                                       uint64_t* out_code_bytes,
                                       uint64_t* out_scale_bytes,
                                       uint64_t* out_zero_points);

/* Quantizes into the caller's buffers, whose sizes must be those above
 * (INVALID_ARGUMENT otherwise); scales must be aligned to 4 bytes; scales and
 * zero_points may be NULL where there are none. What bnq_tensor_quantize
 * computes, without memory of the library's own for the result (but with room
 * for the float32 scales where they are stored otherwise, and for outliers).
 * *out_tensor receives a tensor that borrows the buffers, which must outlive
 * it; out_tensor may be NULL, but not with outliers, whose number depends on
 * the data, nor with offsets, a tensor scale or a codebook, which are the
 * tensor's own. The buffers are written even if the call fails. Since 0.1. */
BNQ_API bnq_status bnq_quantize(bnq_context* context, const bnq_config* config,
                                const bnq_array* source, uint8_t* codes,
                                uint64_t code_bytes, void* scales,
                                uint64_t scale_bytes, int8_t* zero_points,
                                uint64_t zero_point_count,
                                bnq_tensor** out_tensor);
/* The same for `count` arrays in one call, shared out among the context's
 * threads: parameter i of each list is that of bnq_quantize for array i. Lists
 * of zero points may be NULL where no array has any, and out_tensors where it
 * may be NULL there. An error names the array (array 3: ...); others may have
 * been written, and there are no tensors. Since 0.1. */
BNQ_API bnq_status bnq_quantize_batch(
    bnq_context* context, const bnq_config* config, uint64_t count,
    const bnq_array* sources, uint8_t* const* codes, const uint64_t* code_bytes,
    void* const* scales, const uint64_t* scale_bytes,
    int8_t* const* zero_points, const uint64_t* zero_point_counts,
    bnq_tensor** out_tensors);

/* What a tensor is made of; described above. Ids are never reused. */
enum {
  /* U8: packed codes. */
  BNQ_PART_CODES = 1,
  /* F32, F16, BF16, F8_E8M0 or F8_E4M3; U8 where they are double quantized. */
  BNQ_PART_SCALES = 2,
  /* I8; none where symmetric. */
  BNQ_PART_ZERO_POINTS = 3,
  /* U32: indices of the last dimension, ascending. */
  BNQ_PART_OUTLIER_COLUMNS = 4,
  /* F16 or BF16: [elements / columns, outlier columns]. */
  BNQ_PART_OUTLIER_VALUES = 5,
  /* As the scales, one for each; of BNQ_SCHEME_OFFSET. */
  BNQ_PART_OFFSETS = 6,
  /* F32: one number, of BNQ_SCALE_DTYPE_E4M3. */
  BNQ_PART_TENSOR_SCALE = 7,
  /* F32: the values that codes stand for, of codebook2, 3 and 4. */
  BNQ_PART_CODEBOOK = 8,
  /* F32: one number above 0 for each column of a row, or none: what a layer's
   * inputs are divided by, since the weights were multiplied by it before they
   * were quantized (AWQ, bnq_optimize's input_scales; SmoothQuant). bnq_linear
   * does so; the tensor's own values are those of the multiplied weights. Given
   * to bnq_tensor_create, or made by bnq_optimize where its option
   * attach_input_scales asks for it. */
  BNQ_PART_INPUT_SCALES = 9,
  BNQ_NUM_PARTS = 9
};
/* "codes", "scales", "zero_points", "outlier_columns", "outlier_values",
 * "offsets", "tensor_scale", "codebook", "input_scales"; NULL for another id. Since 0.1. */
BNQ_API const char* bnq_part_name(int32_t part);
/* A part. data is NULL where bytes is 0; count is the number of elements of
 * dtype (of double quantized scales, that of scales). Frozen layout. */
typedef struct bnq_part {
  const void* data;
  uint64_t bytes;
  uint64_t count;
  int32_t part;
  int32_t dtype;
} bnq_part;

/* The tensor borrows the parts, which must outlive it, instead of copying
 * them. */
enum { BNQ_TENSOR_BORROW = 1 };
/* A tensor of parts made elsewhere, in any order; a part that is not among them
 * has 0 bytes. Of bnq_part, count is not looked at, and dtype may be 0 for the
 * type that config asks for (F16 for outlier values). Codes, scales and zero
 * points are of the sizes bnq_quantized_sizes says, outliers, of any number, of
 * those above; scales and outlier columns must be aligned to 4 bytes.
 * INVALID_ARGUMENT names a part of another size or type, and the index where a
 * scale is not finite, a zero point not one of the format's codes, packed codes
 * not valid (ternary: no code 3) or outlier columns do not ascend. flags: 0 or
 * BNQ_TENSOR_BORROW. Since 0.1. */
BNQ_API bnq_status bnq_tensor_create(bnq_context* context,
                                     const bnq_config* config, int32_t rank,
                                     const uint64_t* shape,
                                     const bnq_part* parts, uint32_t part_count,
                                     int32_t flags, bnq_tensor** out_tensor);

BNQ_API void bnq_tensor_destroy(bnq_tensor* tensor);

/* BNQ_FORMAT_*; -1 for NULL. Since 0.1. */
BNQ_API int32_t bnq_tensor_format(const bnq_tensor* tensor);
/* Its rank (-1 for NULL), and its dimensions into shape[BNQ_MAX_RANK] (unused
 * ones are set to 1; may be NULL). Since 0.1. */
BNQ_API int32_t bnq_tensor_shape(const bnq_tensor* tensor, uint64_t* shape);
/* Rows and columns as under "Shapes" above; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_tensor_rows(const bnq_tensor* tensor);
BNQ_API uint64_t bnq_tensor_columns(const bnq_tensor* tensor);
/* The options it was made with, a config's. Since 0.1. */
BNQ_API const bnq_options* bnq_tensor_options(const bnq_tensor* tensor);
/* Those options that say what the tensor is (not how it was made: clip,
 * rounding, seed, scale rule, ...) as a config. Since 0.1. */
BNQ_API bnq_status bnq_tensor_config(const bnq_tensor* tensor,
                                     bnq_config** out_config);
/* A part as it is stored, into *out_part; its data lives as long as the tensor.
 * INVALID_ARGUMENT for an id that is none. Since 0.1. */
BNQ_API bnq_status bnq_tensor_part(const bnq_tensor* tensor, int32_t part,
                                   bnq_part* out_part);
/* The scales as float32, however they are stored, into scales[count], where
 * count is their number (INVALID_ARGUMENT otherwise). Since 0.1. */
BNQ_API bnq_status bnq_tensor_read_scales(const bnq_tensor* tensor,
                                          float* scales, uint64_t count);
/* The same of the offsets of BNQ_SCHEME_OFFSET, of which others have 0. Since
 * 0.1. */
BNQ_API bnq_status bnq_tensor_read_offsets(const bnq_tensor* tensor,
                                           float* offsets, uint64_t count);
/* How many float16 or bfloat16 scales are at the ends of what their type holds,
 * because the scale was beyond; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_tensor_saturated_scales(const bnq_tensor* tensor);
/* The 256 values that 8-bit codes of double quantized scales stand for,
 * ascending: bitsandbytes' signed dynamic map. Since 0.1. */
BNQ_API const float* bnq_dynamic_map(void);
/* Bytes of codes, scales, zero points and outliers together; 0 for NULL. Since
 * 0.1. */
BNQ_API uint64_t bnq_tensor_bytes(const bnq_tensor* tensor);
/* Those bytes times 8 over the number of elements; 0 for an empty tensor.
 * Since 0.1. */
BNQ_API double bnq_tensor_bits_per_weight(const bnq_tensor* tensor);

/* The codes one by one, in row-major order, into codes[count], where count is
 * the number of elements (INVALID_ARGUMENT otherwise): -1, 0, +1 for ternary,
 * -128..127 for int8, -8..7 for int4, 0..15 for nf4 and fp4. UNSUPPORTED for
 * f16 and bf16, whose codes do not fit. Since 0.1. */
BNQ_API bnq_status bnq_tensor_unpack(bnq_context* context,
                                     const bnq_tensor* tensor, int8_t* codes,
                                     uint64_t count);
/* The reverse: count codes (the number of elements of shape) into the packed
 * layout of config's format. INVALID_ARGUMENT names the first code that is out
 * of range. Since 0.1. */
BNQ_API bnq_status bnq_pack(bnq_context* context, const bnq_config* config,
                            int32_t rank, const uint64_t* shape,
                            const int8_t* codes, uint64_t count,
                            uint8_t* packed, uint64_t packed_bytes);

/* The same tensor with its codes in another packing (BNQ_PACKING_*), without
 * loss, in memory of its own. UNSUPPORTED where the format does not have it.
 * Since 0.1. */
BNQ_API bnq_status bnq_tensor_repack(bnq_context* context,
                                     const bnq_tensor* tensor, int32_t packing,
                                     bnq_tensor** out_tensor);

/* What dequantizing does with a finite value that the output's type, F16 or
 * BF16, would turn into infinity: float16 ends at 65504. (Infinity that the
 * tensor holds, of BNQ_NON_FINITE_KEEP, stays.) */
enum {
  /* Fail with NON_FINITE, which names the index. */
  BNQ_OVERFLOW_ERROR = 0,
  /* Write the type's greatest number, with the value's sign. */
  BNQ_OVERFLOW_SATURATE = 1,
  /* Write infinity. */
  BNQ_OVERFLOW_KEEP = 2
};
/* "error", "saturate", "keep", and what they mean; NULL for another id. Since
 * 0.1. */
BNQ_API const char* bnq_overflow_name(int32_t overflow);
BNQ_API const char* bnq_overflow_description(int32_t overflow);
/* The id of a name. INVALID_ARGUMENT lists the names. Since 0.1. */
BNQ_API bnq_status bnq_overflow_id(const char* name, int32_t* out_overflow);
/* Dequantizes into out, out_bytes long, which must be exactly elements x the
 * size of dtype (F32, F16 or BF16, rounded to nearest even). overflow:
 * BNQ_OVERFLOW_*. out is written even if the call fails. Since 0.1. */
BNQ_API bnq_status bnq_tensor_dequantize(bnq_context* context,
                                         const bnq_tensor* tensor,
                                         int32_t dtype, int32_t overflow,
                                         void* out, uint64_t out_bytes);
/* The same for row_count rows from row_begin on. Since 0.1. */
BNQ_API bnq_status bnq_tensor_dequantize_rows(bnq_context* context,
                                              const bnq_tensor* tensor,
                                              uint64_t row_begin,
                                              uint64_t row_count, int32_t dtype,
                                              int32_t overflow, void* out,
                                              uint64_t out_bytes);

/* Dequantizes `count` tensors into as many buffers in one call, shared out
 * among the context's threads, without memory that grows with the batch. An
 * error names the tensor (tensor 3: ...). Since 0.1. */
BNQ_API bnq_status bnq_dequantize_batch(bnq_context* context, uint64_t count,
                                        const bnq_tensor* const* tensors,
                                        int32_t dtype, int32_t overflow,
                                        void* const* outs,
                                        const uint64_t* out_bytes);

/* ------------------------------------------------------------------------ */
/* 7. Metrics                                                                */

/* Compares two arrays (F64, F32, F16 or BF16 each; F64 is rounded to float32
 * first) of one shape: original and
 * other. Writes the first metric_count of BNQ_METRIC_* (at most
 * bnq_metric_count()) into metrics. NON_FINITE, INVALID_ARGUMENT (shapes
 * differ). NO_DATA for empty arrays. Since 0.1. */
BNQ_API bnq_status bnq_compare(bnq_context* context, const bnq_array* original,
                               const bnq_array* other, double* metrics,
                               uint32_t metric_count);
/* The same between an array and what the tensor dequantizes to, without
 * dequantizing it as a whole. Since 0.1. */
BNQ_API bnq_status bnq_tensor_compare(bnq_context* context,
                                      const bnq_array* original,
                                      const bnq_tensor* tensor, double* metrics,
                                      uint32_t metric_count);

/* ------------------------------------------------------------------------ */
/* 8. Files                                                                  */

/* A model file opened for reading: .safetensors, .bnq, the index of a model in
 * several of these (*.safetensors.index.json, *.bnq.index.json), or a NumPy
 * .npy file (version 1 to 3, little-endian f2, f4 or f8 in C order), whose one
 * array has the file's name without its ending ("array" in memory). Told by
 * content, not by name. Everything is validated when it is opened, the data's
 * checksums
 * (.bnq) when a tensor is read. Any number of threads may read from one.
 *
 * Names of tensors are UTF-8 without NUL and not empty: a file with others
 * (also a .npy file whose own name is no UTF-8) is UNSUPPORTED. Paths may be
 * any bytes but NUL. */
typedef struct bnq_file bnq_file;

enum {
  BNQ_FILE_SAFETENSORS = 1,
  BNQ_FILE_BNQ = 2,
  BNQ_FILE_SAFETENSORS_INDEX = 3,
  BNQ_FILE_NPY = 4, /* read only */
  BNQ_FILE_BNQ_INDEX = 5,
  BNQ_FILE_GGUF = 6 /* also where it is split into several files */
};
/* Flags of bnq_file_open. */
enum {
  /* Read the whole file into memory, rather than map it. */
  BNQ_OPEN_READ = 1,
  /* A file of plain arrays as it is quantized: experts that share an array as
   * matrices of their own, an embedding that is the head, too, as one tensor of
   * two names (bnq_quantize_file says more). Other files as they are. */
  BNQ_OPEN_SOURCE = 2,
  /* The arrays of the file as they are, also where several of them are a
   * quantized tensor of another ecosystem (section 17). Without, they are one
   * tensor of this library's, with the same codes. */
  BNQ_OPEN_RAW = 4
};

/* Opens a file; of a directory, the one model in it (several: one named model,
 * as Hugging Face prefers them); and where there is nothing at path, the index
 * path.index.json. flags: BNQ_OPEN_*, 0 for none.
 *
 * The file is mapped into memory where the system can. A mapped file must not
 * be cut short or written to while it, or a tensor read from it, is in use:
 * what is read then may be anything, and past the new end the system raises
 * SIGBUS, which ends the process. Where that cannot be ruled out,
 * BNQ_OPEN_READ, or bnq_context_set_mapping for all functions that take a path.
 *
 * NOT_FOUND, IO, CORRUPT_FILE, UNSUPPORTED (a .npy file of another type, order
 * or version; a file recognized as something else: a Git LFS pointer, a page of
 * HTML, a zip archive, a pickle, JSON, which the error says),
 * OUT_OF_MEMORY. Since 0.1. */
BNQ_API bnq_status bnq_file_open(bnq_context* context, const char* path,
                                 int32_t flags, bnq_file** out_file);
/* The same from memory (not an index), which must outlive the handle and every
 * tensor read from it. Since 0.1. */
BNQ_API bnq_status bnq_file_open_memory(bnq_context* context, const void* data,
                                        uint64_t bytes, bnq_file** out_file);
BNQ_API void bnq_file_close(bnq_file* file);

/* BNQ_FILE_*; 0 for NULL. Since 0.1. */
BNQ_API int32_t bnq_file_kind(const bnq_file* file);
/* The number of tensors; 0 for NULL. They are sorted by name. Since 0.1. */
BNQ_API uint64_t bnq_file_count(const bnq_file* file);
/* NOT_FOUND. Since 0.1. */
BNQ_API bnq_status bnq_file_find(const bnq_file* file, const char* name,
                                 uint64_t* out_index);
/* For tensor 0 .. count - 1: its name (NULL for another index); its rank (-1)
 * and shape as in bnq_tensor_shape; its format (BNQ_FORMAT_NONE where it is a
 * plain array; -1); its dtype (of a plain array; 0 where it is quantized; -1);
 * the bytes of its data uncompressed, and as stored (0). Since 0.1. */
BNQ_API const char* bnq_file_name(const bnq_file* file, uint64_t index);
BNQ_API int32_t bnq_file_shape(const bnq_file* file, uint64_t index,
                               uint64_t* shape);
BNQ_API int32_t bnq_file_format(const bnq_file* file, uint64_t index);
BNQ_API int32_t bnq_file_dtype(const bnq_file* file, uint64_t index);
BNQ_API uint64_t bnq_file_bytes(const bnq_file* file, uint64_t index);
BNQ_API uint64_t bnq_file_stored_bytes(const bnq_file* file, uint64_t index);
/* A tensor of a .bnq file that has two names (an embedding that is the head, too)
 * is stored once, and has no stored bytes of its own under the other: the name of
 * the tensor that this one is the same as; "" where it is itself, NULL for another
 * index. Where the file says so is its metadata: the other name is a key, with the
 * first as its value, as safetensors' save_model has it. Since 0.1. */
BNQ_API const char* bnq_file_same_as(const bnq_file* file, uint64_t index);
/* How another ecosystem holds the tensor, for people: "GPTQ", "Q4_K, dequantized"
 * (a plain array of its values, whose codes no format here has); "" where it is as
 * this library has it, NULL for another index. Since 0.1. */
BNQ_API const char* bnq_file_layout(const bnq_file* file, uint64_t index);
/* The options a quantized tensor was made with, as bnq_tensor_config, without
 * reading its data. UNSUPPORTED where it is a plain array. Since 0.1. */
BNQ_API bnq_status bnq_file_config(const bnq_file* file, uint64_t index,
                                   bnq_config** out_config);
/* The metadata (strings by key, sorted): NULL for an index that is not there.
 * Since 0.1. */
BNQ_API uint64_t bnq_file_metadata_count(const bnq_file* file);
BNQ_API const char* bnq_file_metadata_key(const bnq_file* file, uint64_t index);
BNQ_API const char* bnq_file_metadata_value(const bnq_file* file,
                                            uint64_t index);

/* A view of a plain array's data within the file; valid until it is closed.
 * *out_data is NULL for an empty array. Not necessarily aligned to its type.
 * UNSUPPORTED where it is quantized or compressed (use bnq_file_read); not
 * checked against its checksum (bnq_file_read is). Since 0.1. */
BNQ_API bnq_status bnq_file_data(const bnq_file* file, uint64_t index,
                                 const void** out_data, uint64_t* out_bytes);
/* Reads a plain array's bytes into the caller's buffer of bnq_file_bytes()
 * bytes. UNSUPPORTED where it is quantized. Since 0.1. */
BNQ_API bnq_status bnq_file_read(bnq_context* context, const bnq_file* file,
                                 uint64_t index, void* out, uint64_t out_bytes);
/* A quantized tensor of a .bnq file. Where it is not compressed, it uses the
 * mapped file, which stays mapped as long as the tensor lives, even if the
 * file is closed. UNSUPPORTED where it is a plain array. Since 0.1. */
BNQ_API bnq_status bnq_file_tensor(bnq_context* context, const bnq_file* file,
                                   uint64_t index, bnq_tensor** out_tensor);
/* Reads every byte: checksums, codes, scales and zero points of a .bnq file;
 * otherwise what was checked when it was opened, and that floating-point values
 * are finite. The first defect found is the error: CORRUPT_FILE
 * or NON_FINITE. progress may be NULL. Since 0.1. */
BNQ_API bnq_status bnq_file_verify(bnq_context* context, const bnq_file* file,
                                   bnq_progress_fn progress, void* opaque);

/* Writes a model file: to memory, or to a temporary file beside the output,
 * of a name that nobody can foresee, which replaces the output when everything
 * has been written and synced. For one thread. */
typedef struct bnq_writer bnq_writer;

/* Flags of writers and conversions. */
enum {
  /* Replace an existing output. */
  BNQ_WRITE_OVERWRITE = 1,
  /* DEFLATE the chunks of a .bnq file. */
  BNQ_WRITE_COMPRESS = 2,
  /* Do everything but write. */
  BNQ_WRITE_DRY_RUN = 4,
  /* (bnq_write_file) Where the output is a symbolic link, take its place
   * instead of that of the file it leads to: for names that others may foresee.
   * It exists even if it leads nowhere. */
  BNQ_WRITE_REPLACE_LINK = 8,
  /* (Conversions) Go on with an output that was interrupted, and leave one that
   * can be gone on with: see bnq_quantize_file. */
  BNQ_WRITE_RESUME = 16,
  /* (Conversions) As RESUME, but begin anew. */
  BNQ_WRITE_RESTART = 32,
  /* (Quantization) Also of a model that is quantized already. */
  BNQ_WRITE_REQUANTIZE = 64
};
/* kind: BNQ_FILE_SAFETENSORS or BNQ_FILE_BNQ. flags: OVERWRITE, COMPRESS.
 * EXISTS, IO.
 *
 * max_shard_bytes: 0 for one file; else the most bytes of tensors (before
 * compression) that a file holds, unless one tensor alone has more. A model
 * that needs several is written, instead of to model.bnq, to
 * model-00001-of-00003.bnq and so on, with the index model.bnq.index.json
 * beside them, as Hugging Face names them. All appear at the end, the index
 * last, or none does. Since 0.1. */
BNQ_API bnq_status bnq_writer_create(bnq_context* context, const char* path,
                                     int32_t kind, int32_t flags,
                                     uint64_t max_shard_bytes,
                                     bnq_writer** out_writer);
/* The same to memory, which comes from the context's allocator. flags:
 * COMPRESS. Since 0.1. */
BNQ_API bnq_status bnq_writer_create_memory(bnq_context* context, int32_t kind,
                                            int32_t flags,
                                            bnq_writer** out_writer);
/* Abandons the output unless it was finished. Since 0.1. */
BNQ_API void bnq_writer_destroy(bnq_writer* writer);
/* Replaces an earlier value of the key. Since 0.1. */
BNQ_API bnq_status bnq_writer_set_metadata(bnq_writer* writer, const char* key,
                                           const char* value);
/* Adds a plain array of any dtype, or a quantized tensor (.bnq only:
 * UNSUPPORTED). The data is borrowed until bnq_writer_finish or _destroy.
 * INVALID_ARGUMENT for an empty or repeated name. Since 0.1. */
BNQ_API bnq_status bnq_writer_add_array(bnq_writer* writer, const char* name,
                                        const bnq_array* array);
BNQ_API bnq_status bnq_writer_add_tensor(bnq_writer* writer, const char* name,
                                         const bnq_tensor* tensor);
/* Writes everything and puts the file in its place. IO leaves an old output as
 * it was. The writer can then only be destroyed, or asked for its bytes. Since
 * 0.1. */
BNQ_API bnq_status bnq_writer_finish(bnq_writer* writer);
/* What was written to memory, owned by the writer and valid until it is
 * destroyed: bnq_file_open_memory reads it. INVALID_ARGUMENT unless
 * bnq_writer_finish has succeeded, or where it writes to a file. Since 0.1. */
BNQ_API bnq_status bnq_writer_bytes(const bnq_writer* writer,
                                    const void** out_data, uint64_t* out_bytes);

/* Writes any bytes to a file, as whole or not at all as a writer does. flags:
 * OVERWRITE, DRY_RUN (which only checks the path), REPLACE_LINK. data may be
 * NULL where bytes is 0. EXISTS, IO. Since 0.1. */
BNQ_API bnq_status bnq_write_file(bnq_context* context, const char* path,
                                  const void* data, uint64_t bytes,
                                  int32_t flags);

/* ------------------------------------------------------------------------ */
/* 9. Plans, conversion, comparison                                          */

/* Which tensor of a model gets which config: an ordered list of rules, of
 * which the first that matches a tensor decides. A tensor that no rule matches
 * is carried through unchanged, and so is one that is not F64, F32, F16 or
 * BF16. */
typedef struct bnq_plan bnq_plan;

/* For min_rank of bnq_plan_add: what suits a rule. */
enum {
  /* for all tensors: 2, since vectors (biases, norms) are small and sensitive */
  BNQ_MIN_RANK_ALL = -1,
  /* for tensors that somebody has named: 1 */
  BNQ_MIN_RANK_NAMED = -2
};

/* A plan without rules. Since 0.1. */
BNQ_API bnq_status bnq_plan_create(bnq_plan** out_plan);
BNQ_API void bnq_plan_destroy(bnq_plan* plan);
/* Adds a rule behind the others: tensors whose name matches the glob and whose
 * rank is min_rank (0..8, or BNQ_MIN_RANK_*) or more. In the glob * is any
 * characters (of UTF-8), ? any one, [a-z] one of a set and [!a-z] or [^a-z] one
 * not of it (where \ is itself, and so is a ] that comes first), \ elsewhere
 * quotes the next, a [ without ] is itself; the whole name must match, and a glob
 * without any of these also matches the name with ".weight" behind it. config is
 * copied; NULL, or a config of format NONE, leaves matching tensors unquantized.
 * Since 0.1. */
BNQ_API bnq_status bnq_plan_add(bnq_plan* plan, const char* glob,
                                int32_t min_rank, const bnq_config* config);

/* The importance of the columns of the tensor of this name, or of the name with
 * ".weight" behind it, as in bnq_tensor_quantize_weighted; the weights are copied,
 * and judged when a file is quantized (errors name the tensor). Tensors whose
 * config does not search take no notice; bnq_quantize_file fails with
 * INVALID_ARGUMENT where none of its tensors has a use for any. Since 0.1. */
BNQ_API bnq_status bnq_plan_set_importance(bnq_plan* plan, const char* name,
                                           const float* importance,
                                           uint64_t importance_count);
/* The same from a file: a model file (safetensors, .bnq, ...) whose arrays, of
 * F64, F32, F16 or BF16, are the weights under those names; or a saved
 * calibration (bnq_calibration_save) of layers' inputs, whose channels' mean of
 * x^2 they are. INVALID_ARGUMENT, NO_DATA, and the errors of bnq_file_open; the plan is
 * then as it was. Since 0.1. */
BNQ_API bnq_status bnq_plan_load_importance(bnq_context* context,
                                            bnq_plan* plan, const char* path);

/* The index of the rule that decides about a tensor of this name and shape (in
 * the order they were added), or -1 where none does; and a copy of its config,
 * NULL where it leaves the tensor unquantized. rank is 0 to BNQ_MAX_RANK; shape
 * has rank entries, or is NULL: rules that ask for a size are then passed over.
 * Outputs may be NULL. Since 0.1. */
BNQ_API bnq_status bnq_plan_match(const bnq_plan* plan, const char* name,
                                  const uint64_t* shape, int32_t rank,
                                  int64_t* out_rule, bnq_config** out_config);

/* What a tensor does in its model, as far as its name tells, by one table of
 * words (core/model/layer_kind.cc). Only ever appended to. */
enum {
  BNQ_LAYER_OTHER = 0,
  BNQ_LAYER_EMBEDDING = 1,
  BNQ_LAYER_ATTENTION = 2,
  BNQ_LAYER_FFN = 3,
  BNQ_LAYER_NORM = 4,
  BNQ_LAYER_HEAD = 5,
  BNQ_LAYER_ROUTER = 6,
  /* convolutions and matrices of Mamba and its like */
  BNQ_LAYER_STATE_SPACE = 7,
  BNQ_LAYER_VISION = 8,
  BNQ_NUM_LAYERS = 9
};
/* The kind of the tensor of this name, with the words of a plan (may be NULL)
 * before the table's; BNQ_LAYER_OTHER for NULL. Since 0.1. */
BNQ_API int32_t bnq_layer_kind(const bnq_plan* plan, const char* name);
/* "other", "embedding", ...; NULL for another number. Since 0.1. */
BNQ_API const char* bnq_layer_kind_name(int32_t kind);

/* Adds a rule that leaves what models are hurt by most, for the bytes it saves:
 * embeddings, heads, norms, routers, state spaces' small matrices, and vision
 * towers. Since 0.1. */
BNQ_API bnq_status bnq_plan_add_model_defaults(bnq_plan* plan);
/* Adds rules for attention, for FFN and for all other tensors of rank 2 and
 * more. attention may be NULL: base one step up (bnq_config_step_up); ffn, too:
 * base. Since 0.1. */
BNQ_API bnq_status bnq_plan_add_adaptive(bnq_plan* plan, const bnq_config* base,
                                         const bnq_config* attention,
                                         const bnq_config* ffn);
/* The next config of the ladder nf4 (and whatever has less than 8 bits a
 * weight), int8_outliers, int8_per_channel, none. Since 0.1. */
BNQ_API bnq_status bnq_config_step_up(const bnq_config* config,
                                      bnq_config** out_config);

/* Configs and plans that somebody has given names. For one thread at a time
 * while it is changed. */
typedef struct bnq_recipes bnq_recipes;

/* A plan as text, which people write and edit. Each line is one of these; what
 * follows a # at the start of a line or behind a blank is a comment:
 *
 *   PATTERN [CONDITION ...] -> CONFIG
 *   PATTERN [CONDITION ...] -> none
 *   PATTERN [CONDITION ...] -> bits>=NUMBER
 *   kind KIND = WORD ...
 *   tie WORD ...
 *   tie_below WORD ...
 *   tie_all PATTERN ...
 *
 * A rule's PATTERN is a glob of the whole name; one that is no glob ("lm_head")
 * stands for the name with ".weight", too. A pattern or word with blanks, " or #
 * is written in "", where \" and \\ stand for " and \. CONDITIONs, of which all
 * must hold: rank>=N, rank<=N (without: rank>=2 where the pattern is a glob, 1
 * where it is a name), size>=N, size<=N (elements), kind=KIND,KIND,... (other,
 * embedding, attention, ...). CONFIG is a config's text, or a name among the
 * recipes; none leaves the tensor as it is. The first rule that matches
 * decides. Rules of bits>=NUMBER decide about no config: they are the least bits
 * a weight that a budget may give a tensor (bnq_allocate).
 *
 * `kind` adds words that tell a kind of layer: parts of a name in a row, joined
 * by _ ("q_proj" is in "layers.0.q_proj" and in "QProj"; a part's number does
 * not matter: "fc" is in "fc1"); with = before it a component of its own, with ^
 * the name's first one.
 *
 * `tie` makes tensors of one config in an allocation of those whose names differ
 * in one component only, which matches one of the words (q_proj k_proj v_proj);
 * `tie_below` of those whose names are the same up to a component that matches
 * (experts); `tie_all` of all whose names match.
 *
 * The text of a plan, which gives the same plan again but for its importance.
 * Text as in bnq_config_to_text. Since 0.1. */
BNQ_API bnq_status bnq_plan_to_text(const bnq_plan* plan, char* text,
                                    uint64_t size, uint64_t* out_size);
/* Puts what a text says behind what the plan has. recipes may be NULL. Errors
 * name the line; the plan is then as it was. INVALID_ARGUMENT, NOT_FOUND, and
 * those of bnq_config_from_text. Since 0.1. */
BNQ_API bnq_status bnq_plan_add_text(bnq_plan* plan, const bnq_recipes* recipes,
                                     const char* text);
/* The same of a file, of at most 16 MiB; and the text into a file, as
 * bnq_write_file. Since 0.1. */
BNQ_API bnq_status bnq_plan_load(bnq_context* context, bnq_plan* plan,
                                 const bnq_recipes* recipes, const char* path);
BNQ_API bnq_status bnq_plan_save(bnq_context* context, const bnq_plan* plan,
                                 const char* path, int32_t flags);

BNQ_API bnq_status bnq_recipes_create(bnq_recipes** out_recipes);
BNQ_API void bnq_recipes_destroy(bnq_recipes* recipes);
/* Adds a copy, in place of what has the name: letters, digits and _ . -; a
 * config's may not be that of a preset or format (EXISTS). Since 0.1. */
BNQ_API bnq_status bnq_recipes_add_config(bnq_recipes* recipes,
                                          const char* name,
                                          const bnq_config* config);
BNQ_API bnq_status bnq_recipes_add_plan(bnq_recipes* recipes, const char* name,
                                        const bnq_plan* plan);
/* Adds what a text says: lines of a plan in sections that begin with
 * [plan NAME], and "NAME = CONFIG" in sections that begin with [configs]; what
 * stands before the first section is the plan "". Names that stand further up
 * may be used. Errors as bnq_plan_add_text. Since 0.1. */
BNQ_API bnq_status bnq_recipes_add_text(bnq_recipes* recipes, const char* text);
BNQ_API bnq_status bnq_recipes_to_text(const bnq_recipes* recipes, char* text,
                                       uint64_t size, uint64_t* out_size);
/* As bnq_plan_load and bnq_plan_save. Since 0.1. */
BNQ_API bnq_status bnq_recipes_load(bnq_context* context, bnq_recipes* recipes,
                                    const char* path);
BNQ_API bnq_status bnq_recipes_save(bnq_context* context,
                                    const bnq_recipes* recipes,
                                    const char* path, int32_t flags);
/* The config of a text (bnq_config_from_text), whose first item may be one of
 * these names. Since 0.1. */
BNQ_API bnq_status bnq_recipes_config(const bnq_recipes* recipes,
                                      const char* text,
                                      bnq_config** out_config);
/* A copy of the plan of this name. NOT_FOUND. Since 0.1. */
BNQ_API bnq_status bnq_recipes_plan(const bnq_recipes* recipes,
                                    const char* name, bnq_plan** out_plan);
/* The names, sorted; NULL for an index that is not there, 0 for NULL. Since
 * 0.1. */
BNQ_API uint64_t bnq_recipes_config_count(const bnq_recipes* recipes);
BNQ_API const char* bnq_recipes_config_name(const bnq_recipes* recipes,
                                            uint64_t index);
BNQ_API uint64_t bnq_recipes_plan_count(const bnq_recipes* recipes);
BNQ_API const char* bnq_recipes_plan_name(const bnq_recipes* recipes,
                                          uint64_t index);

/* One row for each tensor of a conversion or comparison, sorted by name.
 * Immutable, may be shared. */
typedef struct bnq_report bnq_report;

/* Quantizes the model file at `input` (safetensors, its sharded index or .npy)
 * into a .bnq file at `output`, one tensor, or one slice of a large one, at a
 * time: memory does not grow with the model. A folder with a config.json (as
 * Hugging Face's) becomes a folder, unless output has the ending of a file
 * (".bnq"): model.bnq, or its shards, and copies of the files beside the input's
 * weights, config.json among them, which stays as it is. Other weights are left
 * out, with a warning. The folder appears when it is complete; OVERWRITE
 * replaces the folder of a model only. A model that is quantized already (as a
 * .bnq file, in a layout of section 17, or by the config.json of the folder) is
 * UNSUPPORTED without REQUANTIZE, which quantizes its values.
 * Experts that share an array, [experts, out, in] or [experts, in, out], become
 * matrices [out, in] with names such as "...experts.3.up_proj.weight", where the
 * model_type of the config.json beside the weights tells their layout (a table,
 * from transformers' models); a plan is asked for these names. Nothing is guessed:
 * a warning tells of others, which stay as they are. An embedding or a head with
 * the bytes of another is stored once (bnq_file_same_as), with the config of the
 * first name. bnq_dequantize_file undoes both. flags: BNQ_WRITE_*; output may be
 * NULL with BNQ_WRITE_DRY_RUN. max_shard_bytes as in bnq_writer_create. report
 * (may be NULL) receives the table with the metrics of each quantized tensor.
 * If the
 * call fails or is cancelled, an existing output is left as it was, and
 * nothing is left behind. EXISTS where the output exists (unless OVERWRITE) or
 * is also the input, NON_FINITE (names tensor and index), and all others.
 *
 * RESUME keeps what is finished, and a journal of it, in a directory of the
 * output's name with ".part" behind it, which this user alone may read, until
 * the output is in its place. Whatever ends the process or the call, another
 * call with RESUME goes on there: the output and the report are the same, byte
 * for byte, as if nothing had happened; what is lost is the tensor that was
 * being written and at most the work of a quarter of a second. EXISTS, naming
 * what differs, where the directory is of other input files (size, time of
 * change, tensors), another plan, importance or option, or of a library that
 * gives other bytes; and where another process is at it. RESTART forgets what
 * is there. Since 0.1. */
BNQ_API bnq_status bnq_quantize_file(bnq_context* context, const bnq_plan* plan,
                                     const char* input, const char* output,
                                     int32_t flags, uint64_t max_shard_bytes,
                                     bnq_progress_fn progress, void* opaque,
                                     bnq_report** out_report);
/* Dequantizes a .bnq file into a safetensors file: quantized tensors become
 * dtype (F32, F16, BF16), the others stay as they are. overflow:
 * BNQ_OVERFLOW_*; with _ERROR the first value that dtype does not hold fails
 * with NON_FINITE, which names tensor and index. As above. Since 0.1. */
BNQ_API bnq_status bnq_dequantize_file(bnq_context* context, const char* input,
                                       const char* output, int32_t dtype,
                                       int32_t overflow, int32_t flags,
                                       uint64_t max_shard_bytes,
                                       bnq_progress_fn progress, void* opaque,
                                       bnq_report** out_report);
/* Compares the tensors of two model files of any kind, slice by slice: the
 * metrics of each tensor in both with equal shape and floating-point or
 * quantized contents; plain arrays of other types are compared byte for byte
 * (mse 0 or NaN). Tensors in only one of them, or of other shape, are rows with
 * a note and NaN metrics. Since 0.1. */
BNQ_API bnq_status bnq_compare_files(bnq_context* context, const char* original,
                                     const char* other,
                                     bnq_progress_fn progress, void* opaque,
                                     bnq_report** out_report);

BNQ_API void bnq_report_destroy(bnq_report* report);
/* Rows; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_report_count(const bnq_report* report);
/* Of a conversion: what was written and can be opened: the file, the index of
 * several, or the folder ("" for a dry run without an output, and comparisons).
 * Since 0.1. */
BNQ_API const char* bnq_report_output(const bnq_report* report);
/* Of all floating-point parameters those that are not quantized, 0 to 1: what
 * was left as it is is easily overlooked, and may be most of a model. Since 0.1. */
BNQ_API double bnq_report_dense_share(const bnq_report* report);
/* The tensor's name; NULL for an index that is not there. Since 0.1. */
BNQ_API const char* bnq_report_name(const bnq_report* report, uint64_t index);
/* As bnq_tensor_shape. Since 0.1. */
BNQ_API int32_t bnq_report_shape(const bnq_report* report, uint64_t index,
                                 uint64_t* shape);
/* Its BNQ_FORMAT_* in the output (in the second file), and its dtype where
 * that is NONE, else 0; -1 for an index that is not there. Since 0.1. */
BNQ_API int32_t bnq_report_format(const bnq_report* report, uint64_t index);
BNQ_API int32_t bnq_report_dtype(const bnq_report* report, uint64_t index);
/* Bytes of its data in the input (first file) and in the output (second file;
 * as stored, so after compression). Since 0.1. */
BNQ_API uint64_t bnq_report_bytes_before(const bnq_report* report,
                                         uint64_t index);
BNQ_API uint64_t bnq_report_bytes_after(const bnq_report* report,
                                        uint64_t index);
/* bytes_after x 8 over the number of elements; 0 where there are none. Since
 * 0.1. */
BNQ_API double bnq_report_bits_per_weight(const bnq_report* report,
                                          uint64_t index);
/* The metrics, as in bnq_compare; NaN where there are none (a tensor carried
 * through, empty, or without a counterpart). Since 0.1. */
BNQ_API bnq_status bnq_report_metrics(const bnq_report* report, uint64_t index,
                                      double* metrics, uint32_t metric_count);
/* Why a row has no metrics, or what was done that was not asked for; "" if
 * nothing. Since 0.1. */
BNQ_API const char* bnq_report_note(const bnq_report* report, uint64_t index);
/* As bnq_file_same_as: the tensor of which a row is another name, whose weights
 * are not more; "" where it is itself. Since 0.1. */
BNQ_API const char* bnq_report_same_as(const bnq_report* report,
                                       uint64_t index);

/* ------------------------------------------------------------------------ */
/* 10. Calibration                                                           */

/* Watches batches of values go by, and finds the range in which to quantize
 * such values. Its memory is O(bins x channels), whatever goes by. For one
 * thread at a time; functions that take a const calibrator may share one.
 *
 *   bnq_calibrator* calibrator;
 *   bnq_calibrator_create(&calibrator);
 *   bnq_options_set_text(bnq_calibrator_settings(calibrator), "method", "kl");
 *   for each batch: bnq_calibrator_observe(context, calibrator, &batch);
 *   float lo, hi;
 *   bnq_calibrator_range(context, calibrator, &lo, &hi, 1);
 *
 * Determinism. But for the methods that follow the order of batches, the state
 * is a function of the multiset of batches observed, on every machine: merging
 * calibrators gives what one that saw all batches has, and serializes to the
 * same bytes. For this, the bins of a histogram are [k, k + 1) x 2^e for whole
 * k; e is the least for which those from the minimum to the maximum are at most
 * 2 x bins (and all |x| below 2^22 x 2^e), so `bins` or more cover the range.
 * For percentiles a histogram is also kept of the bins next to 0, in 64 bins to
 * each octave of |x|, which outliers cannot make coarser.
 *
 * If bnq_calibrator_observe fails the calibrator is as it was, unless values
 * were being counted into a histogram already (which takes a runner that fails
 * or memory that runs out just then): from then on all its functions fail with
 * INTERNAL until it is reset. */
typedef struct bnq_calibrator bnq_calibrator;

/* Options. Ids are never reused. Once there are data only method, scheme, bits,
 * levels, percentile, kl_variant and mse_variant can be changed, to look for
 * the range in another way: not to moving_average or adaptive, and to
 * percentile, kl or mse only where a histogram was kept (INVALID_ARGUMENT:
 * reset first). */
enum {
  /* int: BNQ_METHOD_*; default minmax. */
  BNQ_CALIBRATION_METHOD = 1,
  /* int: BNQ_GRANULARITY_TENSOR (default) or _CHANNEL. */
  BNQ_CALIBRATION_GRANULARITY = 2,
  /* int: the dimension of channels, -8..7, negative from the end; default -1,
   * the features of activations (of weights, [out, in], channels are 0). The
   * first batch decides how many there are. */
  BNQ_CALIBRATION_AXIS = 3,
  /* int: BNQ_SCHEME_*; default symmetric: the range found is widened to one
   * about 0 (the percentile method looks for one from the outset). */
  BNQ_CALIBRATION_SCHEME = 4,
  /* int: at least this many bins cover a histogram's range, at most twice as
   * many; 64..16384, default 2048. */
  BNQ_CALIBRATION_BINS = 5,
  /* int: of the codes to come, for kl and mse; 2..16, default 8. */
  BNQ_CALIBRATION_BITS = 6,
  /* int: their number in place of bits: for mse of all levels (2^bits), for kl
   * of those of one sign (2^(bits - 1)); 0 (default) for as bits say. */
  BNQ_CALIBRATION_LEVELS = 7,
  /* float: the weight c of a new batch, for moving_average and adaptive;
   * default 0.01. */
  BNQ_CALIBRATION_AVERAGING = 8,
  /* float: for adaptive, the most that an end of the range moves outwards in a
   * step, in widths of the range (default 0.5), and the most of its width that
   * the range loses in one, 0..1 (default 0.1). */
  BNQ_CALIBRATION_MAX_GROWTH = 9,
  BNQ_CALIBRATION_MAX_SHRINK = 10,
  /* float: for percentile, 50..100, default 99.99. */
  BNQ_CALIBRATION_PERCENTILE = 11,
  /* int: BNQ_KL_*; default TensorRT's. */
  BNQ_CALIBRATION_KL_VARIANT = 12,
  /* int: BNQ_MSE_*, for mse; default exhaustive. */
  BNQ_CALIBRATION_MSE_VARIANT = 13,
  /* int: BNQ_OBSERVE_*, what NaN and infinity do; default error. */
  BNQ_CALIBRATION_NON_FINITE = 14,
  /* int: BNQ_OUTLIERS_*; default none. */
  BNQ_CALIBRATION_OUTLIERS = 15,
  /* float: percent of the values that are not outliers, 50..100, default 99.9;
   * and the number of standard deviations from the mean from which on they are,
   * 0.1..1000, default 6. */
  BNQ_CALIBRATION_OUTLIER_PERCENTILE = 16,
  BNQ_CALIBRATION_OUTLIER_DEVIATIONS = 17,
  /* int: 1 keeps what mean, variance, absmean, skewness and kurtosis are made
   * of, which about halves the speed; default 0. */
  BNQ_CALIBRATION_MOMENTS = 18,
  /* int: 1 keeps a histogram even where the method needs none, fine enough for
   * percentiles; default 0. Without it kl and mse keep none that fine: after a
   * change to percentile the range is wider than need be by up to a bin. */
  BNQ_CALIBRATION_HISTOGRAM = 19
};

/* How the range is found. core/calibration/<method>.cc has the definitions. */
enum {
  /* minimum and maximum */
  BNQ_METHOD_MINMAX = 0,
  /* Those of each batch, averaged: m += c (current - m), as PyTorch's moving
   * average observer. Depends on the order of batches. */
  BNQ_METHOD_MOVING_AVERAGE = 1,
  /* The range that holds `percentile` percent of the values, ceil(p n / 100) of
   * n; asymmetric: half of the others at most are cut off at each end. It never
   * holds fewer, and is wider than need be by one bin at most, or by 1/64 of
   * itself where that is less. */
  BNQ_METHOD_PERCENTILE = 2,
  /* the least Kullback-Leibler divergence of the quantized values */
  BNQ_METHOD_KL = 3,
  /* the least mean squared error, of values spread evenly within their bins */
  BNQ_METHOD_MSE = 4,
  /* An online follower: an average whose steps are bounded (max_growth,
   * max_shrink); observe a batch, ask for the range, quantize the batch.
   * Depends on the order of batches. */
  BNQ_METHOD_ADAPTIVE = 5
};
enum { BNQ_KL_TENSORRT = 0, BNQ_KL_ONNXRUNTIME = 1 };
/* exhaustive: ends of the range in all bins, never worse than minimum and
 * maximum by the error that is searched. pytorch: its histogram observer's
 * search, which narrows the range step by step, may stop early, and never
 * returns the whole range. */
enum { BNQ_MSE_EXHAUSTIVE = 0, BNQ_MSE_PYTORCH = 1 };
/* Values that count as the limit nearest to them when the range is found, as
 * far as bins tell: none; half of 100 - outlier_percentile percent on each side
 * at most; those more than outlier_deviations standard deviations from the
 * mean. The moving averages follow the batches as they are, and end at the
 * limits. */
enum {
  BNQ_OUTLIERS_NONE = 0,
  BNQ_OUTLIERS_PERCENTILE = 1,
  BNQ_OUTLIERS_DEVIATIONS = 2
};
/* NaN and infinity in a batch: refuse it (NON_FINITE names the first index), or
 * count them and leave them out. */
enum { BNQ_OBSERVE_ERROR = 0, BNQ_OBSERVE_SKIP = 1 };

/* A calibrator with every option at its default, and no data. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_create(bnq_calibrator** out_calibrator);
BNQ_API void bnq_calibrator_destroy(bnq_calibrator* calibrator);
/* With its data. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_clone(bnq_context* context,
                                        const bnq_calibrator* calibrator,
                                        bnq_calibrator** out_calibrator);
/* Of the kind BNQ_OPTIONS_CALIBRATOR. Since 0.1. */
BNQ_API const bnq_options* bnq_calibrator_options(
    const bnq_calibrator* calibrator);
BNQ_API bnq_options* bnq_calibrator_settings(bnq_calibrator* calibrator);

/* Observes a batch (F64, F32, F16 or BF16; F64 is rounded to float32 first). An
 * empty one does nothing. NON_FINITE (names the index), INVALID_ARGUMENT (no
 * such axis, another number of channels than the first batch), UNSUPPORTED (the
 * type), CANCELLED (the context's interrupt): the calibrator is as it was. A
 * runner that fails while values are counted leaves one that must be reset.
 * Since 0.1. */
BNQ_API bnq_status bnq_calibrator_observe(bnq_context* context,
                                          bnq_calibrator* calibrator,
                                          const bnq_array* array);
/* The batches at a path, listed: the floating-point arrays of a .npy,
 * .safetensors or .bnq file in the order of their names, or of all files *.npy
 * and
 * *.safetensors of a directory in the order of theirs (by their bytes). Hidden
 * files of a directory (._x.npy) are skipped, and the context's log is told.
 * Immutable, may be shared. */
typedef struct bnq_batches bnq_batches;

/* With `name` (may be NULL) only arrays of that name; the array of a .npy file
 * has the file's, without the ending. Looks into each file, without reading its
 * data. NOT_FOUND where there is no such path, data file or array; UNSUPPORTED
 * where an array of that name is no batch; otherwise as bnq_file_open. Since
 * 0.1. */
BNQ_API bnq_status bnq_batches_find(bnq_context* context, const char* path,
                                    const char* name,
                                    bnq_batches** out_batches);
BNQ_API void bnq_batches_destroy(bnq_batches* batches);
/* Their number, at least 1; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_batches_count(const bnq_batches* batches);
/* The file that a batch lies in, as bnq_file_open takes it; the array's name in
 * it (NULL for another index); and its bytes, uncompressed (0). Since 0.1. */
BNQ_API const char* bnq_batches_path(const bnq_batches* batches,
                                     uint64_t index);
BNQ_API const char* bnq_batches_name(const bnq_batches* batches,
                                     uint64_t index);
BNQ_API uint64_t bnq_batches_bytes(const bnq_batches* batches, uint64_t index);

/* Observes the batches that bnq_batches_find finds. Files are mapped and given
 * back page by page. If it fails or is cancelled the calibrator is as it was.
 * Since 0.1. */
BNQ_API bnq_status bnq_calibrator_observe_file(
    bnq_context* context, bnq_calibrator* calibrator, const char* path,
    const char* name, bnq_progress_fn progress, void* opaque);

/* Channels (1 per tensor), and batches that had elements; 0 before there are
 * data, and for NULL. Since 0.1. */
BNQ_API uint64_t bnq_calibrator_channels(const bnq_calibrator* calibrator);
BNQ_API uint64_t bnq_calibrator_batches(const bnq_calibrator* calibrator);

/* The range of each channel into lo[count] and hi[count], where count is the
 * number of channels: finite, lo <= hi, and lo = -hi for the symmetric scheme.
 * The calibrator may go on observing. NO_DATA before there are data, or where a
 * channel has had no finite value. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_range(bnq_context* context,
                                        const bnq_calibrator* calibrator,
                                        float* lo, float* hi, uint64_t count);

/* Statistics: positions in the caller's double array. Only ever appended to. */
enum {
  /* finite values */
  BNQ_STATISTIC_COUNT = 0,
  BNQ_STATISTIC_MIN = 1,
  BNQ_STATISTIC_MAX = 2,
  BNQ_STATISTIC_MEAN = 3,
  /* of the whole population: divided by count */
  BNQ_STATISTIC_VARIANCE = 4,
  /* greatest |x|, mean of |x| */
  BNQ_STATISTIC_ABSMAX = 5,
  BNQ_STATISTIC_ABSMEAN = 6,
  /* third central moment / variance^1.5; fourth / variance^2 (3 for Gaussian
   * values) */
  BNQ_STATISTIC_SKEWNESS = 7,
  BNQ_STATISTIC_KURTOSIS = 8,
  /* share of the values that are 0, in 0..1 */
  BNQ_STATISTIC_ZERO_SHARE = 9,
  /* number of values that were skipped */
  BNQ_STATISTIC_NON_FINITE = 10,
  /* number of values beyond the limits of the option outliers */
  BNQ_STATISTIC_OUTLIERS = 11,
  BNQ_NUM_STATISTICS = 12
};
/* Their number in the loaded library, and their names: "count", "min", ...,
 * "outliers"; NULL for another index. Since 0.1. */
BNQ_API uint32_t bnq_statistic_count(void);
BNQ_API const char* bnq_statistic_name(uint32_t index);
/* In place of a channel: all of them together. */
#define BNQ_ALL_CHANNELS UINT64_MAX
/* Writes the first statistic_count statistics of a channel. Those that are not
 * known are NaN: mean, variance, absmean, skewness and kurtosis without the
 * option moments (outliers = deviations implies it), skewness and kurtosis of
 * values that are all equal, all but the counts where a channel has none. The
 * moments are made of sums of float64 of the powers of x, so they mean little
 * where the mean is thousands of deviations. NO_DATA, INVALID_ARGUMENT,
 * CANCELLED. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_statistics(bnq_context* context,
                                             const bnq_calibrator* calibrator,
                                             uint64_t channel,
                                             double* statistics,
                                             uint32_t statistic_count);
/* The histogram of a channel: bin i counts the values from first + i * width to
 * below first + (i + 1) * width. Writes the number of bins (0 where the channel
 * has no values) to *out_bins, and the counts, unless counts is NULL, to
 * counts[capacity], which must hold them (INVALID_ARGUMENT). out_first and
 * out_width may be NULL. NO_DATA; UNSUPPORTED where no histogram is kept. Since
 * 0.1. */
BNQ_API bnq_status bnq_calibrator_histogram(const bnq_calibrator* calibrator,
                                            uint64_t channel, uint64_t* counts,
                                            uint64_t capacity,
                                            uint64_t* out_bins,
                                            double* out_first,
                                            double* out_width);

/* Forgets the data, not the options. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_reset(bnq_calibrator* calibrator);
/* Adds what `other` has observed. Both must have the same options and, where
 * both have data, the same number of channels (INVALID_ARGUMENT). UNSUPPORTED
 * for moving_average and adaptive, whose result depends on the order of
 * batches. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_merge(bnq_context* context,
                                        bnq_calibrator* calibrator,
                                        const bnq_calibrator* other);
/* Options and data as bytes, the same ones on every machine
 * (core/calibration/README.md has the layout), into out[out_bytes], and their
 * number into *out_size. With out NULL only the number. INVALID_ARGUMENT where
 * out_bytes is less; CANCELLED. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_serialize(bnq_context* context,
                                            const bnq_calibrator* calibrator,
                                            void* out, uint64_t out_bytes,
                                            uint64_t* out_size);
/* The calibrator that was serialized. CORRUPT_FILE for bytes that are no
 * calibrator, UNSUPPORTED for those of a later library. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_deserialize(bnq_context* context,
                                              const void* data, uint64_t bytes,
                                              bnq_calibrator** out_calibrator);

/* ------------------------------------------------------------------------ */
/* 11. Parameter optimisation                                                */

/* Quantizes with parameters that a method searched for, starting at those of
 * the config's own rule and never ending worse than there:
 *
 *   bnq_optimizer* optimizer;
 *   bnq_optimizer_create(&optimizer);
 *   bnq_options_set_text(bnq_optimizer_settings(optimizer), "method", "hqq");
 *   bnq_optimize(context, optimizer, config, &weights, NULL, NULL, NULL,
 *                &tensor, NULL, 0, NULL, 0);
 *
 * An optimizer is a set of options, used as a config is. The formulas are those
 * at the top of core/optimize/<method>.cc. */
typedef struct bnq_optimizer bnq_optimizer;

/* Options. Ids are never reused. A method does not look at those of others. */
enum {
  /* int: BNQ_OPTIMIZE_*; default grid. */
  BNQ_OPTIMIZATION_METHOD = 1,
  /* int: BNQ_OBJECTIVE_*, of grid and hqq; default mse. */
  BNQ_OPTIMIZATION_OBJECTIVE = 2,
  /* int: BNQ_SCOPE_*, of grid; default segment. */
  BNQ_OPTIMIZATION_SCOPE = 3,
  /* grid. int: steps from the whole range of the values down to min_ratio
   * (float) of it, 1..1000, default 32, and 0.0001..0.99, default 0.02; int:
   * how often the neighbourhood of the best is then searched in half steps,
   * 0..20, default 4; int: how far zero points are moved, 0..255, default 2. */
  BNQ_OPTIMIZATION_STEPS = 4,
  BNQ_OPTIMIZATION_MIN_RATIO = 5,
  BNQ_OPTIMIZATION_REFINEMENTS = 6,
  BNQ_OPTIMIZATION_ZERO_POINT_STEPS = 7,
  /* int: of the histograms of BNQ_OBJECTIVE_KL, 16..65536, default 2048. */
  BNQ_OPTIMIZATION_BINS = 8,
  /* gradient, hqq. int: at most so many, 1..100000; 0 (default) for the
   * method's own, 60 and 20. */
  BNQ_OPTIMIZATION_ITERATIONS = 9,
  /* gradient. float: of Adam, in parts of a scale, 1e-6..1, default 0.01. */
  BNQ_OPTIMIZATION_LEARNING_RATE = 10,
  /* hqq. float: the weight of the penalty (default 10), the norm p of the
   * error, 0.05..1 (default 0.7), and what beta is multiplied by each
   * iteration, 1..10 (default 1.01). */
  BNQ_OPTIMIZATION_BETA = 11,
  BNQ_OPTIMIZATION_NORM = 12,
  BNQ_OPTIMIZATION_KAPPA = 13,
  /* gptq. float: added to the diagonal, in parts of its mean, 0..100 (default
   * 0.01); int: columns whose errors are passed on at once, 1..65536 (default
   * 128), which is a matter of speed; int: 1 takes columns by descending
   * diagonal, 0 (default) as they come. */
  BNQ_OPTIMIZATION_DAMPING = 14,
  BNQ_OPTIMIZATION_BLOCK = 15,
  BNQ_OPTIMIZATION_ACT_ORDER = 16,
  /* awq. int: how many exponents r = 0, 1/n, .. are tried, 1..1000, default 20.
   */
  BNQ_OPTIMIZATION_RATIOS = 17,
  /* awq. int: 1 makes the input scales a part of the tensor
   * (BNQ_PART_INPUT_SCALES), so that files keep them and bnq_linear divides by
   * them; 0 (default): bnq_optimize hands them out alone. */
  BNQ_OPTIMIZATION_ATTACH_INPUT_SCALES = 18
};

enum {
  /* Narrower ranges (and other zero points) of a segment, or of all, one after
   * another, those of BNQ_SCHEME_OFFSET about their middle; any format with
   * scales. */
  BNQ_OPTIMIZE_GRID = 0,
  /* Learned step size (arXiv:1902.08153): scales and zero points or offsets
   * follow the gradient of the squared error of the values or, with activations, of the
   * layer's outputs. */
  BNQ_OPTIMIZE_GRADIENT = 1,
  /* HQQ's half-quadratic refinement; integer formats. */
  BNQ_OPTIMIZE_HQQ = 2,
  /* GPTQ (arXiv:2210.17323): each column's error is made up for by the columns
   * after it. Needs activations. */
  BNQ_OPTIMIZE_GPTQ = 3,
  /* AWQ (arXiv:2306.00978): weights of large inputs are scaled up before they
   * are quantized. Needs activations. The inputs x of the layer must then be
   * divided by the input scales: y = (x / s) W^T. */
  BNQ_OPTIMIZE_AWQ = 4
};
/* What is made small, for each segment (the elements that share parameters):
 * mean squared error; Kullback-Leibler divergence of the histogram of the
 * values from itself with each code's values spread evenly (of use for segments
 * of thousands of values); 1 - cosine; the optimizer's metric. That of a tensor
 * is the mean over its segments, weighted by their elements. With activations
 * it is the mean squared error of the layer's outputs. */
enum {
  BNQ_OBJECTIVE_MSE = 0,
  BNQ_OBJECTIVE_KL = 1,
  BNQ_OBJECTIVE_COSINE = 2,
  BNQ_OBJECTIVE_CUSTOM = 3
};
/* One ratio of its range for each segment, or the same one for all. */
enum { BNQ_SCOPE_SEGMENT = 0, BNQ_SCOPE_TENSOR = 1 };

/* A caller's metric: the error of `count` values of a segment (of the whole
 * array, in row-major order, with BNQ_SCOPE_TENSOR) into *out_error, which must
 * not be NaN (INVALID_ARGUMENT); least is best. original and dequantized are
 * valid for the call. Always called on the thread that called bnq_optimize,
 * some forty times for each segment. Returning non-zero stops: bnq_optimize
 * then fails with CANCELLED and leaves nothing behind, so that a binding can
 * keep an exception meanwhile, and raise it. */
typedef int32_t (*bnq_metric_fn)(void* opaque, const float* original,
                                 const float* dequantized, uint64_t count,
                                 double* out_error);

/* An optimizer with every option at its default. Since 0.1. */
BNQ_API bnq_status bnq_optimizer_create(bnq_optimizer** out_optimizer);
BNQ_API bnq_status bnq_optimizer_clone(const bnq_optimizer* optimizer,
                                       bnq_optimizer** out_optimizer);
BNQ_API void bnq_optimizer_destroy(bnq_optimizer* optimizer);
/* Of the kind BNQ_OPTIONS_OPTIMIZER. Since 0.1. */
BNQ_API const bnq_options* bnq_optimizer_options(
    const bnq_optimizer* optimizer);
BNQ_API bnq_options* bnq_optimizer_settings(bnq_optimizer* optimizer);
/* The importance of each column of the arrays to come, as in
 * bnq_tensor_quantize_weighted, for the methods grid and hqq with objective mse
 * and scope segment (UNSUPPORTED with others); and for the start, where the
 * config's rule is mse. The weights are copied, and judged by bnq_optimize.
 * Figures of the objective are weighted, those of the mse are not. A count of 0:
 * none. Since 0.1. */
BNQ_API bnq_status bnq_optimizer_set_importance(bnq_optimizer* optimizer,
                                                const float* importance,
                                                uint64_t importance_count);
/* The metric of BNQ_OBJECTIVE_CUSTOM, and takes that objective; metric must
 * remain callable while the optimizer or a clone is used. NULL takes the
 * objective mse again. Since 0.1. */
BNQ_API bnq_status bnq_optimizer_set_metric(bnq_optimizer* optimizer,
                                            bnq_metric_fn metric, void* opaque);

/* Figures of an optimisation: positions in the caller's double array. Only ever
 * appended to. */
enum {
  /* The objective of the config's plain rule, and of the result. */
  BNQ_FIGURE_OBJECTIVE_BEFORE = 0,
  BNQ_FIGURE_OBJECTIVE_AFTER = 1,
  /* The mean squared error of the values (as they are quantized: clipped; of
   * awq with the input scales taken out). Above the one before where another
   * objective, or the layer's outputs, gained by it. */
  BNQ_FIGURE_MSE_BEFORE = 2,
  BNQ_FIGURE_MSE_AFTER = 3,
  /* What was looked at (segments; rows for gptq, inputs for awq, 1 for a
   * gradient with activations), and how many of these are other than at the
   * start. */
  BNQ_FIGURE_SEGMENTS = 4,
  BNQ_FIGURE_IMPROVED = 5,
  BNQ_NUM_FIGURES = 6
};
/* Their number in the loaded library, and their names: "objective_before", ...,
 * "improved"; NULL for another index. Since 0.1. */
BNQ_API uint32_t bnq_figure_count(void);
BNQ_API const char* bnq_figure_name(uint32_t index);

/* Quantizes source (F64, F32, F16 or BF16) as config says, with the optimizer's
 * parameters. activations ([samples, K], or more dimensions the last of which
 * is K, the columns of source as under "Shapes") are the inputs of the linear
 * layer y = x W^T whose weights W the source is; NULL for methods that need
 * none. The tensor is one like any other. input_scales[input_scale_count], K of
 * them, receives what the inputs must be divided by: 1 throughout but for awq,
 * which needs it, unless it attaches them; else it may be NULL with 0. Where all
 * are 1 none are attached. figures[figure_count] receives
 * the first figures (NaN for an empty source); NULL with 0 for none. progress
 * may be NULL. Methods with activations hold the weights as float32 and the
 * activations as float64, and gptq and a gradient K x K float64; others the
 * largest segment for each thread. UNSUPPORTED for formats without scales,
 * outliers, stochastic rounding, and for what a method does not do;
 * INVALID_ARGUMENT, NON_FINITE, NO_DATA (activations of no samples),
 * OUT_OF_MEMORY, CANCELLED. Since 0.1. */
BNQ_API bnq_status bnq_optimize(
    bnq_context* context, const bnq_optimizer* optimizer,
    const bnq_config* config, const bnq_array* source,
    const bnq_array* activations, bnq_progress_fn progress, void* opaque,
    bnq_tensor** out_tensor, float* input_scales, uint64_t input_scale_count,
    double* figures, uint32_t figure_count);

/* ------------------------------------------------------------------------ */
/* 12. Post-training quantization                                            */

/* What post-training quantization makes of weights (int8_per_channel) and of
 * activations (int8_symmetric) unless something else is asked for: a config,
 * one of BNQ_ROLE_*. Since 0.1. */
enum { BNQ_ROLE_WEIGHTS = 0, BNQ_ROLE_ACTIVATIONS = 1 };
BNQ_API bnq_status bnq_post_training_config(int32_t role,
                                            bnq_config** out_config);

/* A calibrator of values that are to be quantized as config says, without data:
 * config's scheme, the bits of its codes, and its channels and their axis; the
 * other options at their defaults. INVALID_ARGUMENT where config's granularity
 * is neither tensor nor channel. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_create_for(const bnq_config* config,
                                             bnq_calibrator** out_calibrator);

/* The scale, and zero point or offset, of each of the calibrator's channels for
 * quantizing values of its range as config says: format, scheme, symmetric range
 * and scale dtype count; the rule that scales are made by is the calibrator's
 * method. scales[count], zero_points[count] where config's scheme is asymmetric
 * and offsets[count] where it is offset (else they may be NULL), where count is
 * the number of channels (INVALID_ARGUMENT otherwise).
 * NO_DATA; UNSUPPORTED for a format without scales. Since 0.1. */
BNQ_API bnq_status bnq_calibrator_params(bnq_context* context,
                                         const bnq_calibrator* calibrator,
                                         const bnq_config* config,
                                         float* scales, int8_t* zero_points,
                                         float* offsets, uint64_t count);

/* Quantizes source with parameters that are given instead of found (static
 * quantization): scale_count scales, one for each segment that config's
 * granularity makes of the array, each 0 or at least 1.17549435e-38, the
 * least normal float32 (the reciprocal of a smaller one may be infinite, and
 * where subnormal numbers count as 0 it would mean something else), small
 * enough that the greatest code is finite, and not negative unless config's
 * symmetric range is extreme; rounded to config's scale dtype first; as many
 * zero points where config's scheme is asymmetric, else none; as many offsets
 * where it is offset, else none, of at most a quarter of the greatest float32,
 * beside which half of that is left for codes, rounded as scales are. What lies
 * outside what the codes reach is clamped; *out_clamped (may be NULL) receives the number of
 * values that a code beyond the last one would be nearer to. INVALID_ARGUMENT
 * names the index; otherwise as
 * bnq_tensor_quantize. Since 0.1. */
BNQ_API bnq_status bnq_tensor_quantize_static(
    bnq_context* context, const bnq_config* config, const bnq_array* source,
    const float* scales, uint64_t scale_count, const int8_t* zero_points,
    uint64_t zero_point_count, const float* offsets, uint64_t offset_count,
    uint64_t* out_clamped, bnq_tensor** out_tensor);
/* The same with the parameters that the calibrator gives: config's granularity
 * must be tensor, or channel on the calibrator's axis (INVALID_ARGUMENT).
 * Since 0.1. */
BNQ_API bnq_status bnq_tensor_quantize_calibrated(
    bnq_context* context, const bnq_config* config,
    const bnq_calibrator* calibrator, const bnq_array* source,
    uint64_t* out_clamped, bnq_tensor** out_tensor);
/* In one call: calibrates with a method (BNQ_METHOD_*; the calibrator is
 * otherwise that of bnq_calibrator_create_for) on the array itself, then
 * quantizes it with the result. Since 0.1. */
BNQ_API bnq_status bnq_quantize_tensor_auto(bnq_context* context,
                                            const bnq_config* config,
                                            int32_t method,
                                            const bnq_array* source,
                                            bnq_tensor** out_tensor);
/* In one call: quantizes with the scale rule percentile at `percentile`, 0..100
 * (the exact one of each segment, at any granularity). Since 0.1. */
BNQ_API bnq_status bnq_quantize_tensor_percentile(bnq_context* context,
                                                  const bnq_config* config,
                                                  double percentile,
                                                  const bnq_array* source,
                                                  bnq_tensor** out_tensor);

/* Calibrators by name: of a model's activations, one for each place where they
 * are watched. For one thread at a time, as a calibrator. */
typedef struct bnq_calibration bnq_calibration;

/* Calibrators of this set are made with prototype's options (NULL: the
 * defaults); the prototype's data do not count. Since 0.1. */
BNQ_API bnq_status bnq_calibration_create(const bnq_calibrator* prototype,
                                          bnq_calibration** out_calibration);
BNQ_API void bnq_calibration_destroy(bnq_calibration* calibration);
/* Sets an option by name, as bnq_options_set_text, of every calibrator and of
 * those to come; of none if one refuses. Since 0.1. */
BNQ_API bnq_status bnq_calibration_set_text(bnq_context* context,
                                            bnq_calibration* calibration,
                                            const char* option,
                                            const char* value);
/* Observes a batch of the activations `name`, which gets a calibrator if it has
 * none. As bnq_calibrator_observe. Since 0.1. */
BNQ_API bnq_status bnq_calibration_observe(bnq_context* context,
                                           bnq_calibration* calibration,
                                           const char* name,
                                           const bnq_array* array);
/* Observes the arrays of a .npy, .safetensors or .bnq file or of a directory,
 * as bnq_calibrator_observe_file does, each with the calibrator of its name;
 * or, where as_name is not NULL, all with that of as_name: batches of one
 * activation that lie in several files. If it fails or is cancelled, no
 * calibrator has observed anything of it. INVALID_ARGUMENT for an empty
 * as_name. Since 0.1. */
BNQ_API bnq_status bnq_calibration_observe_file(
    bnq_context* context, bnq_calibration* calibration, const char* path,
    const char* as_name, bnq_progress_fn progress, void* opaque);
/* The names, sorted: their number (0 for NULL), each (NULL for another index),
 * and its calibrator, which belongs to the set (NULL for another index). Since
 * 0.1. */
BNQ_API uint64_t bnq_calibration_count(const bnq_calibration* calibration);
BNQ_API const char* bnq_calibration_name(const bnq_calibration* calibration,
                                         uint64_t index);
BNQ_API const bnq_calibrator* bnq_calibration_at(
    const bnq_calibration* calibration, uint64_t index);
/* Adds what another set has observed, name by name. As bnq_calibrator_merge.
 * Since 0.1. */
BNQ_API bnq_status bnq_calibration_merge(bnq_context* context,
                                         bnq_calibration* calibration,
                                         const bnq_calibration* other);
/* Writes the set to a file (flags: BNQ_WRITE_OVERWRITE), the same bytes on
 * every machine, and reads it: a .bnq file of byte arrays, one for each name,
 * as bnq_calibrator_serialize makes them, and one for the prototype. EXISTS,
 * IO; NOT_FOUND, CORRUPT_FILE. Since 0.1. */
BNQ_API bnq_status bnq_calibration_save(bnq_context* context,
                                        const bnq_calibration* calibration,
                                        const char* path, int32_t flags);
BNQ_API bnq_status bnq_calibration_load(bnq_context* context, const char* path,
                                        bnq_calibration** out_calibration);
/* The bytes of that file in memory: as bnq_calibrator_serialize and
 * bnq_calibrator_deserialize. Since 0.1. */
BNQ_API bnq_status bnq_calibration_serialize(bnq_context* context,
                                             const bnq_calibration* calibration,
                                             void* out, uint64_t out_bytes,
                                             uint64_t* out_size);
BNQ_API bnq_status
bnq_calibration_deserialize(bnq_context* context, const void* data,
                            uint64_t bytes, bnq_calibration** out_calibration);

/* Quantizes a model file as bnq_quantize_file does, and adds the static
 * parameters of its activations: for each name N of the calibration, made as
 * activation_config says (NULL: as bnq_post_training_config), a float32 array
 * "N.input_scale", and an I8 array "N.input_zero_point" where that is
 * asymmetric, or a float32 array "N.input_offset" where its scheme is offset, of
 * one element or one for each channel. INVALID_ARGUMENT where
 * the model has an array of such a name; NO_DATA for a name without data. Since
 * 0.1.
 */
BNQ_API bnq_status bnq_post_training_quantize_file(
    bnq_context* context, const bnq_plan* plan,
    const bnq_calibration* calibration, const bnq_config* activation_config,
    const char* input, const char* output, int32_t flags,
    uint64_t max_shard_bytes, bnq_progress_fn progress, void* opaque,
    bnq_report** out_report);

/* ------------------------------------------------------------------------ */
/* 13. Validation                                                            */

/* How the values of two arrays of one shape are distributed, and their errors:
 * with e = original - other and m the greatest |e|, counts[i] is the number of
 * errors in [-m + i * w, -m + (i + 1) * w), the last bin closed, w = 2m / bins
 * (all in the middle bin where m is 0). *out_max_error is m. *out_kl is the
 * Kullback-Leibler divergence, in nats, of the other array's distribution from
 * the original's, each as a histogram of `bins` equal bins over the range of
 * both, with 1e-10 added to each bin's share and normalized again; 0 where all
 * values are equal. bins is 2..65536. Outputs may be NULL. NON_FINITE, NO_DATA,
 * INVALID_ARGUMENT. Since 0.1. */
BNQ_API bnq_status bnq_compare_histogram(bnq_context* context,
                                         const bnq_array* original,
                                         const bnq_array* other, uint32_t bins,
                                         uint64_t* counts,
                                         double* out_max_error, double* out_kl);
/* The same between an array and what the tensor dequantizes to. Since 0.1. */
BNQ_API bnq_status bnq_tensor_compare_histogram(
    bnq_context* context, const bnq_array* original, const bnq_tensor* tensor,
    uint32_t bins, uint64_t* counts, double* out_max_error, double* out_kl);

/* ------------------------------------------------------------------------ */
/* 14. Operators                                                             */

/* A matrix that operators read or write: rows of `columns` elements that lie
 * together, where a row begins row_stride bytes after the one before it (0:
 * columns times the size of an element), so that a view of a larger array needs
 * no copy. data may be unaligned, and NULL where there are no elements. dtype
 * is F32, F16 or BF16; or I8 or U8, whose values are (element - zero point) *
 * scale: scales has an entry for each row, or is NULL where the operator knows
 * a scale for all; zero_points likewise, NULL stands for 0. Matrices that are
 * read are not written to. Frozen layout. */
typedef struct bnq_matrix {
  void* data;
  float* scales;
  int32_t* zero_points;
  uint64_t rows;
  uint64_t columns;
  uint64_t row_stride;
  int32_t dtype;
  int32_t reserved; /* 0 */
} bnq_matrix;

/* Functions of one number, as activation functions and fused to other
 * operators. Ids are never reused. */
enum {
  BNQ_FUNCTION_NONE = 0,         /* x */
  BNQ_FUNCTION_RELU = 1,         /* max(x, 0) */
  BNQ_FUNCTION_RELU6 = 2,        /* min(max(x, 0), 6) */
  BNQ_FUNCTION_LEAKY_RELU = 3,   /* x >= 0 ? x : slope * x */
  BNQ_FUNCTION_SQUARED_RELU = 4, /* max(x, 0)^2 */
  BNQ_FUNCTION_GELU = 5,         /* x / 2 * (1 + erf(x / sqrt 2)) */
  /* x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) */
  BNQ_FUNCTION_GELU_TANH = 6,
  BNQ_FUNCTION_SILU = 7,       /* x / (1 + e^-x) */
  BNQ_FUNCTION_SIGMOID = 8,    /* 1 / (1 + e^-x) */
  BNQ_FUNCTION_TANH = 9,       /* tanh x */
  BNQ_FUNCTION_HARD_SWISH = 10, /* x * min(max(x + 3, 0), 6) / 6 */
  BNQ_NUM_FUNCTIONS = 11
};
/* The number of functions of the loaded library, whose ids are below it; their
 * names ("relu", "gelu_tanh", ...) and what they are, NULL for another id; the
 * id of a name, in either case: INVALID_ARGUMENT lists the names. Since 0.1. */
BNQ_API uint32_t bnq_function_count(void);
BNQ_API const char* bnq_function_name(int32_t function);
BNQ_API const char* bnq_function_description(int32_t function);
BNQ_API bnq_status bnq_function_id(const char* name, int32_t* out_function);

/* Of what follows, x is read and y is written, a matrix of as many rows and
 * columns: the same elements (the same data and row_stride, and elements of one
 * size), or memory apart from x's; rows of y may lie between those of x where
 * their strides are equal. INVALID_ARGUMENT otherwise. Results are the same
 * bytes on every CPU and with any number of threads, and a row's do not depend
 * on other rows. Matrices without elements are left alone. float32 results are
 * rounded once more, to nearest even, where y is F16 or BF16: what these do not
 * hold is infinity. */

/* y = function(x). `slope` is that of BNQ_FUNCTION_LEAKY_RELU, finite (0 makes
 * it BNQ_FUNCTION_RELU); for others it means nothing.
 *
 * Floats to floats: computed in float32. Largest errors, in units of the last
 * place of the exact result (of 2^-149 below 2^-126): RELU, RELU6 0; LEAKY_RELU
 * and SQUARED_RELU 0.5; HARD_SWISH 1.7; TANH 2; SIGMOID and SILU 2.5; GELU_TANH
 * 3; GELU 2 for x >= -0.7, else 6. NaN stays NaN; infinities give the limits
 * (GELU, SILU and HARD_SWISH of -infinity: -0).
 *
 * I8 or U8 to I8 or U8: saturate(round(function((x - zx) * sx) / sy) + zy), in
 * float64 and to nearest even, with scales of each row, which must be there, and
 * zero points: one look-up for each element. To floats: the function's value.
 * Where rows differ in their parameters, each costs 256 values of the function.
 * UNSUPPORTED: floats to I8 or U8. Since 0.1. */
BNQ_API bnq_status bnq_activate(bnq_context* context, int32_t function,
                                float slope, const bnq_matrix* x,
                                const bnq_matrix* y);

/* Softmax of each row: y = e^(x - max) / sum of e^(x - max). x - max is rounded
 * to float32, whose error may be that of |x - max| * 2^-24 in the result; the
 * rest adds 2.5 units of the last place at most. The sum is one of float64 in 16
 * lanes. -infinity (what is masked) gives 0, and a row of nothing else zeros; a
 * row with NaN or +infinity is NaN. UNSUPPORTED: I8, U8. Since 0.1. */
BNQ_API bnq_status bnq_softmax(bnq_context* context, const bnq_matrix* x,
                               const bnq_matrix* y);

/* RMS norm of each row: y = x / sqrt(mean of x^2 + eps) * weight; and layer
 * norm: y = (x - mean) / sqrt(mean of (x - mean)^2 + eps) * weight + bias.
 * weight and bias have `columns` entries; NULL: without. eps is finite and at
 * least 0. In float64, with sums in 16 lanes, and rounded to float32 once: half
 * a unit of the last place of what float64 has. A row with NaN or infinity is
 * NaN; where the root is 0, so is its reciprocal. UNSUPPORTED: I8, U8. Since
 * 0.1. */
BNQ_API bnq_status bnq_rms_norm(bnq_context* context, const bnq_matrix* x,
                                const float* weight, double eps,
                                const bnq_matrix* y);
BNQ_API bnq_status bnq_layer_norm(bnq_context* context, const bnq_matrix* x,
                                  const float* weight, const float* bias,
                                  double eps, const bnq_matrix* y);

/* LINEAR LAYERS: y = function(x W^T + b), where W is a quantized tensor [N, K]
 * (the first dimension by the product of the others), x is [M, K] and y [M, N].
 * Weights are read where they are, also in a mapped file: there is no second
 * copy of them, and the first call does what any other does.
 *
 *   bnq_linear* linear;
 *   bnq_options_set_text(bnq_operator_settings(op), "input", "int8");
 *   bnq_linear_create(context, op, weight, &bias, &linear);
 *   bnq_linear_run(linear, context, &x, &y, NULL, 0);
 *
 * Inputs that are codes, or become codes (BNQ_OPERATOR_INPUT), are multiplied
 * with integers exactly where the weights' codes are integers (integer formats,
 * ternary, binary, e2m1) and scales belong to parts of rows. With q, za, sa the
 * codes, zero point and scale of a row of x, and u, z, s, o those of a group of
 * weights,
 *   I(g) = sum of (q - za) (u - z),  Q(g) = sum of (q - za)
 * are exact; and, every operation rounded once and none fused,
 *   one group a row, no offsets:
 *     y = float(I) * (sa * s) + b             in float32
 *   else:
 *     L(j) = sum of I(g) * s(g) + Q(g) * o(g) over g mod 8 = j, in float64 and
 *            ascending order; S = ((L0 + L4) + (L2 + L6)) + ((L1 + L5) + (L3 +
 *            L7)); y = float32(S * sa + b)
 * Outlier columns of W (BNQ_OPT_OUTLIER_THRESHOLD) are no part of a row's range;
 * their products are added up in float64 and added, rounded to float32, before
 * b. Of e2m1, u - z is twice the value and s half the scale.
 *
 * All else is in float32: product k of x and the dequantized weight is added to
 * lane k mod 16 by a fused multiply-add, and the lanes by halves (0 + 8, ..);
 * with codes x is q - za, and the sum is multiplied by sa; then b is added.
 *
 * So results have the same bits on every CPU, for every number of threads, and
 * for a row alone as for that row among others. The function is applied to y,
 * which is then rounded to y's type: F16 or BF16; or I8 or U8, as clamp(round(v)
 * + zero point), ties to even, where v = y / output_scale; with neither function
 * nor float bias, offsets, outliers or groups v = float(I + b) * float32(sa * s /
 * output_scale), computed in float64 (QLinearMatMul).
 *
 * N, K and M may be 0: of K = 0 y is function(b), and b is of floats. Groups of more than 32768
 * columns, where a row has several, are no integers' (above). A task of a
 * context's threads uses up to 192 KiB of stack. */

/* What an operator does beside its weights: options of the kind
 * BNQ_OPTIONS_OPERATOR. Wherever one is taken, NULL stands for the defaults. It
 * is read when an operator is made. */
typedef struct bnq_operator bnq_operator;

enum {
  /* int: BNQ_INPUT_*, of inputs that are floats; default float. */
  BNQ_OPERATOR_INPUT = 1,
  /* float: scale of static inputs, and of inputs of codes that have no scales;
   * 0 (default) for none. */
  BNQ_OPERATOR_INPUT_SCALE = 2,
  /* int: the zero point that goes with it, -128..127 (U8: 0..255); default 0.*/
  BNQ_OPERATOR_INPUT_ZERO_POINT = 3,
  /* int: BNQ_FUNCTION_*, fused; default none. */
  BNQ_OPERATOR_FUNCTION = 4,
  /* float: of BNQ_FUNCTION_LEAKY_RELU; default 0.01. */
  BNQ_OPERATOR_SLOPE = 5,
  /* int: BNQ_OUTPUT_*; default float. */
  BNQ_OPERATOR_OUTPUT = 6,
  /* float: scale of outputs of codes, above 0. */
  BNQ_OPERATOR_OUTPUT_SCALE = 7,
  /* int: their zero point, -128..127 or 0..255; default 0. */
  BNQ_OPERATOR_OUTPUT_ZERO_POINT = 8,
  /* int: 1 (default) allows AMX where the CPU has it. On Linux a process has to
   * ask the kernel for it, which the first run of a layer that would use it
   * does; its signal handlers then need stacks of 11 KB and more (sigaltstack).
   * 0: it is neither asked for nor used. Results are the same. */
  BNQ_OPERATOR_AMX = 9,
  /* Of convolutions; a linear layer takes them at their defaults alone.
   * int: steps between outputs, 1..65536; default 1. */
  BNQ_OPERATOR_STRIDE_HEIGHT = 10,
  BNQ_OPERATOR_STRIDE_WIDTH = 11,
  /* int: rows and columns of 0 around images, 0..65536; default 0. */
  BNQ_OPERATOR_PAD_TOP = 12,
  BNQ_OPERATOR_PAD_LEFT = 13,
  BNQ_OPERATOR_PAD_BOTTOM = 14,
  BNQ_OPERATOR_PAD_RIGHT = 15,
  /* int: steps between weights, 1..65536; default 1. */
  BNQ_OPERATOR_DILATION_HEIGHT = 16,
  BNQ_OPERATOR_DILATION_WIDTH = 17,
  /* int: groups of channels, of which each has outputs of its own; default 1.
   */
  BNQ_OPERATOR_GROUPS = 18,
  /* int: BNQ_LAYOUT_*; default nchw. */
  BNQ_OPERATOR_LAYOUT = 19
};
/* What becomes of a row of inputs that are floats, once they were divided by the
 * weight's input scales (BNQ_PART_INPUT_SCALES), where it has them: rounded to
 * float32. Convolutions, and inputs of codes, take no such weights. Inputs of I8 and U8 are codes
 * whatever this says. NaN and infinity fail with NON_FINITE where rows become
 * codes. */
enum {
  /* They stay what they are. */
  BNQ_INPUT_FLOAT = 0,
  /* Codes of the config int8 with granularity token, as
   * bnq_tensor_quantize makes them of this row: symmetric, or asymmetric. */
  BNQ_INPUT_INT8 = 1,
  BNQ_INPUT_INT8_ASYMMETRIC = 2,
  /* As BitNet b1.58 (BitLinear): a = max(max |x|, 1e-5), q = round(x * (127 /
   * a)), ties to even; sa = a / 127. */
  BNQ_INPUT_BITNET = 3,
  /* By BNQ_OPERATOR_INPUT_SCALE and _ZERO_POINT, of a calibration. */
  BNQ_INPUT_STATIC = 4
};
enum {
  BNQ_OUTPUT_FLOAT = 0, /* F32, F16 or BF16, as y is */
  BNQ_OUTPUT_INT8 = 1,
  BNQ_OUTPUT_UINT8 = 2
};

enum {
  /* Images [items, channels, height, width], weights [outputs, channels /
   * groups, height, width]: PyTorch's, ONNX's. */
  BNQ_LAYOUT_NCHW = 0,
  /* Images [items, height, width, channels], weights [outputs, height, width,
   * channels / groups]: TensorFlow Lite's, and the faster one. */
  BNQ_LAYOUT_NHWC = 1
};

/* Every option at its default. Since 0.1. */
BNQ_API bnq_status bnq_operator_create(bnq_operator** out_operator);
BNQ_API bnq_status bnq_operator_clone(const bnq_operator* options,
                                      bnq_operator** out_operator);
BNQ_API void bnq_operator_destroy(bnq_operator* options);
BNQ_API const bnq_options* bnq_operator_options(const bnq_operator* options);
BNQ_API bnq_options* bnq_operator_settings(bnq_operator* options);
/* Whether a linear layer may have these options with weights of a config: OK, or
 * the error that bnq_linear_create fails with. *out_integers, which may be NULL,
 * is 1 where inputs that become codes are multiplied as integers (above) in
 * matrices of any shape, else 0. Since 0.1. */
BNQ_API bnq_status bnq_operator_check(const bnq_operator* options,
                                      const bnq_config* config,
                                      int32_t* out_integers);

/* A linear layer: immutable, and any number of threads may run it at once, each
 * with a workspace of its own. */
typedef struct bnq_linear bnq_linear;

/* weight is kept: it may be destroyed before the layer (a tensor that borrows
 * memory or comes from a mapped file keeps to what it says). bias, copied, is a
 * vector of N elements: F32, F16, BF16 or F64; or I32, which is added to the
 * integer sums (QLinearConv's, of scale sa * s), where rows of weights have one
 * group and inputs are codes. NULL: none. INVALID_ARGUMENT, UNSUPPORTED.
 * Since 0.1. */
BNQ_API bnq_status bnq_linear_create(bnq_context* context,
                                     const bnq_operator* options,
                                     const bnq_tensor* weight,
                                     const bnq_array* bias,
                                     bnq_linear** out_linear);
BNQ_API void bnq_linear_destroy(bnq_linear* linear);
/* K and N; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_linear_inputs(const bnq_linear* linear);
BNQ_API uint64_t bnq_linear_outputs(const bnq_linear* linear);
/* Bytes that running it takes for so many rows of x: the same on every CPU.
 * Since 0.1. */
BNQ_API bnq_status bnq_linear_workspace(const bnq_linear* linear, uint64_t rows,
                                        uint64_t* out_bytes);
/* y of x. workspace is aligned to 64 bytes and has at least the bytes that
 * bnq_linear_workspace says; nothing else is then allocated of that size. NULL:
 * memory of the context's allocator. x and y may not overlap. INVALID_ARGUMENT,
 * NON_FINITE (y is then in part written), CANCELLED. Since 0.1. */
BNQ_API bnq_status bnq_linear_run(const bnq_linear* linear,
                                  bnq_context* context, const bnq_matrix* x,
                                  const bnq_matrix* y, void* workspace,
                                  uint64_t workspace_bytes);
/* Several layers on one x (query, key and value; experts), each into its own y,
 * as one piece of work for the threads. The workspace has the bytes of all of
 * them together. Since 0.1. */
BNQ_API bnq_status bnq_linear_run_many(const bnq_linear* const* linears,
                                       uint64_t count, bnq_context* context,
                                       const bnq_matrix* x,
                                       const bnq_matrix* ys, void* workspace,
                                       uint64_t workspace_bytes);

/* Row i of y, of F32, F16 or BF16, is row indices[i] of the table, a matrix
 * [rows, columns] (further dimensions are columns), dequantized.
 * INVALID_ARGUMENT names an index that is none; nothing is written then.
 * NON_FINITE where F16 or BF16 does not hold a value. Since 0.1. */
BNQ_API bnq_status bnq_embedding(bnq_context* context, const bnq_tensor* table,
                                 const int64_t* indices, uint64_t count,
                                 const bnq_matrix* y);

/* CONVOLUTIONS of one dimension (weights of rank 3, images of height 1) and two
 * (rank 4): of each output pixel a linear layer (above) on the patch of inputs
 * under the kernel, so cross-correlation, with padding that stands for 0: of
 * codes it is the zero point (ConvInteger, QLinearConv). There are
 *   floor((in + begin + end - dilation * (kernel - 1) - 1) / stride) + 1
 * outputs along a dimension, or none. The layer's K is the order of a weight's
 * own elements. Inputs that become codes (BNQ_OPERATOR_INPUT) do so image by
 * image, with one scale for all of it. Depthwise: groups = channels. */
typedef struct bnq_convolution bnq_convolution;

/* As bnq_linear_create; bias has an element for each output channel.
 * Immutable, and any number of threads may run it at once. Since 0.1. */
BNQ_API bnq_status bnq_convolution_create(bnq_context* context,
                                          const bnq_operator* options,
                                          const bnq_tensor* weight,
                                          const bnq_array* bias,
                                          bnq_convolution** out_convolution);
BNQ_API void bnq_convolution_destroy(bnq_convolution* convolution);
/* What comes of images of this size; outputs may be NULL. Since 0.1. */
BNQ_API bnq_status bnq_convolution_output(const bnq_convolution* convolution,
                                          uint64_t height, uint64_t width,
                                          uint64_t* out_channels,
                                          uint64_t* out_height,
                                          uint64_t* out_width);
/* As bnq_linear_workspace, for so many images. Since 0.1. */
BNQ_API bnq_status bnq_convolution_workspace(const bnq_convolution* convolution,
                                             uint64_t items, uint64_t height,
                                             uint64_t width,
                                             uint64_t* out_bytes);
/* y of x: matrices with a row for each image, whose columns are channels, height
 * and width (height, width and channels with nhwc). Scales and zero points of
 * codes are those of images. Workspace and errors as bnq_linear_run. Since 0.1.
 */
BNQ_API bnq_status bnq_convolution_run(const bnq_convolution* convolution,
                                       bnq_context* context,
                                       const bnq_matrix* x, uint64_t height,
                                       uint64_t width, const bnq_matrix* y,
                                       void* workspace,
                                       uint64_t workspace_bytes);

/* ------------------------------------------------------------------------ */
/* 15. Layer cache and layers                                                */

/* LAYER CACHE. Quantized tensors that were made before, in memory and in a folder
 * that any number of processes share. An entry is found by what it was made of:
 * a key is a digest of the array's contents, type and shape, of the config, the
 * importance and the library's codec. So nothing stale is found, equal tensors
 * share an entry, and it does not matter what they are called; names can be
 * given to entries besides.
 *
 *   bnq_cache* cache;
 *   bnq_cache_create("layers", &cache);
 *   bnq_options_set_text(bnq_cache_settings(cache), "disk_limit", "10000000000");
 *   bnq_cache_quantize(context, cache, config, &array, NULL, 0, "model/3/ffn",
 *                      &tensor, &hit);
 *
 * Entries are .bnq files, mapped where the context maps files; they are there
 * whole or not at all, and never modified. Their checksums are compared when a
 * process has one for the first time. A damaged entry is a miss, and set aside
 * (as *.bad); one that cannot be read or written now (EIO, EACCES, EMFILE, a
 * full disk) is a miss, too, and stays: with BNQ_CACHE_STRICT it is an error.
 * When a stored entry makes the folder exceed its limit, those not used for
 * longest are removed until it is at 90 % of it; who has them mapped keeps them. (An
 * entry's use is noted once a minute at most.) An entry larger than the limit is
 * returned, but not stored. Processes may be killed at any moment.
 *
 * Any number of threads may use one cache at a time, unless its options are
 * being changed; tensors of it may outlive it. Two threads of a process that want
 * the same tensor have it quantized once. In the child of a fork it begins with
 * what is in the folder, and nothing in memory. */
typedef struct bnq_cache bnq_cache;

/* Options of a cache. */
enum {
  /* Bytes of tensors kept in memory besides those in use: 2 GiB; 0: none. */
  BNQ_CACHE_MEMORY_LIMIT = 1,
  /* Bytes of entries in the folder: 50 GiB; 0: any number. */
  BNQ_CACHE_DISK_LIMIT = 2,
  /* 1: the folder is left as it is; else 0. */
  BNQ_CACHE_READ_ONLY = 3,
  /* 1: entries that cannot be read or written are errors; else 0. */
  BNQ_CACHE_STRICT = 4,
  /* 1: entries are compressed, and so read instead of mapped; else 0. */
  BNQ_CACHE_COMPRESS = 5,
  /* What is left of DISK_LIMIT when entries are removed: 90 percent. */
  BNQ_CACHE_KEEP_PERCENT = 6
};

/* A cache in a folder, which is made when something is stored in it, and only
 * then has to be writable; NULL: in memory alone. Since 0.1. */
BNQ_API bnq_status bnq_cache_create(const char* folder, bnq_cache** out_cache);
BNQ_API void bnq_cache_destroy(bnq_cache* cache);
/* Its options (BNQ_CACHE_*), as in section 5. Since 0.1. */
BNQ_API const bnq_options* bnq_cache_options(const bnq_cache* cache);
BNQ_API bnq_options* bnq_cache_settings(bnq_cache* cache);
/* The folder that a person's programs share, into text[size] as
 * bnq_options_get_text does: the environment's BNQ_CACHE, else XDG_CACHE_HOME/bnq,
 * else HOME/.cache/bnq. NOT_FOUND where none of them is set. Since 0.1. */
BNQ_API bnq_status bnq_cache_default_folder(char* text, uint64_t size,
                                            uint64_t* out_size);

/* As bnq_tensor_quantize, or with importance (else NULL and 0) as
 * bnq_tensor_quantize_weighted; or the tensor that this gave before, with *out_hit
 * (may be NULL) 1. Reads the array to know its key: a hit costs that, a digest
 * of 1 to 2 GB/s, and mapping the entry. name (may be NULL): the entry's name
 * from now on. Errors are those of quantizing; of the folder, IO alone, and that
 * only with BNQ_CACHE_STRICT. Since 0.1. */
BNQ_API bnq_status bnq_cache_quantize(bnq_context* context, bnq_cache* cache,
                                      const bnq_config* config,
                                      const bnq_array* source,
                                      const float* importance,
                                      uint64_t importance_count,
                                      const char* name,
                                      bnq_tensor** out_tensor,
                                      int32_t* out_hit);
/* The key of what bnq_cache_quantize gives: 64 hexadecimal digits and a NUL, into
 * text[size] as bnq_options_get_text does. Since 0.1. */
BNQ_API bnq_status bnq_cache_key(bnq_context* context, const bnq_config* config,
                                 const bnq_array* source,
                                 const float* importance,
                                 uint64_t importance_count, char* text,
                                 uint64_t size, uint64_t* out_size);
/* The entry of a key, without any reading of what it was made of. NOT_FOUND
 * where there is none. Since 0.1. */
BNQ_API bnq_status bnq_cache_find(bnq_context* context, bnq_cache* cache,
                                  const char* key, bnq_tensor** out_tensor);
/* The entry of a name: any UTF-8, not empty. NOT_FOUND. Since 0.1. */
BNQ_API bnq_status bnq_cache_get(bnq_context* context, bnq_cache* cache,
                                 const char* name, bnq_tensor** out_tensor);
/* Stores a copy of a tensor, however it was made, under a name; in place of what
 * has that name. Since 0.1. */
BNQ_API bnq_status bnq_cache_put(bnq_context* context, bnq_cache* cache,
                                 const char* name, const bnq_tensor* tensor);

/* What has become of requests since the cache was created, and what is in it.
 * Only ever appended to. */
enum {
  BNQ_CACHE_STAT_MEMORY_HITS = 0,
  BNQ_CACHE_STAT_DISK_HITS = 1,
  BNQ_CACHE_STAT_MISSES = 2,
  /* Entries written; and not, since they were too large, the folder read only or
   * the disk full. */
  BNQ_CACHE_STAT_STORES = 3,
  BNQ_CACHE_STAT_NOT_STORED = 4,
  /* Entries removed to keep the limit, by this cache. */
  BNQ_CACHE_STAT_EVICTIONS = 5,
  /* Damaged entries; and times that the folder could not be read or written. */
  BNQ_CACHE_STAT_DAMAGED = 6,
  BNQ_CACHE_STAT_FAILURES = 7,
  /* Of tensors that were hits; and seconds spent in loading those from disk. */
  BNQ_CACHE_STAT_BYTES_SERVED = 8,
  BNQ_CACHE_STAT_LOAD_SECONDS = 9,
  /* Tensors in memory besides those in use. */
  BNQ_CACHE_STAT_MEMORY_ENTRIES = 10,
  BNQ_CACHE_STAT_MEMORY_BYTES = 11,
  /* Entries in the folder, and bytes of their files and of damaged ones. */
  BNQ_CACHE_STAT_DISK_ENTRIES = 12,
  BNQ_CACHE_STAT_DISK_BYTES = 13,
  BNQ_NUM_CACHE_STATS = 14
};
/* The number of statistics of the loaded library, and their names
 * ("memory_hits", ...); NULL for an unknown index. Since 0.1. */
BNQ_API uint32_t bnq_cache_stat_count(void);
BNQ_API const char* bnq_cache_stat_name(uint32_t index);
/* The first stat_count of them. From DISK_ENTRIES on the folder is listed, which
 * may fail with IO. Since 0.1. */
BNQ_API bnq_status bnq_cache_stats(bnq_cache* cache, double* stats,
                                   uint32_t stat_count);

/* The entries in the folder, those used last first; with a glob (as in
 * bnq_plan_add, may be NULL) only those with a name that matches it. Immutable,
 * may be shared. Since 0.1. */
typedef struct bnq_cache_list bnq_cache_list;
BNQ_API bnq_status bnq_cache_list_create(bnq_context* context, bnq_cache* cache,
                                         const char* glob,
                                         bnq_cache_list** out_list);
BNQ_API void bnq_cache_list_destroy(bnq_cache_list* list);
/* Entries; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_cache_list_count(const bnq_cache_list* list);
/* Its key; NULL for an index that is not there, here and below. Since 0.1. */
BNQ_API const char* bnq_cache_list_key(const bnq_cache_list* list,
                                       uint64_t index);
/* Its names: how many it has (0 for an index that is not there), and each,
 * sorted. Since 0.1. */
BNQ_API uint64_t bnq_cache_list_name_count(const bnq_cache_list* list,
                                           uint64_t index);
BNQ_API const char* bnq_cache_list_name(const bnq_cache_list* list,
                                        uint64_t index, uint64_t name);
/* Bytes of its file, and when it was used, in seconds since 1970; 0 for an index
 * that is not there. Since 0.1. */
BNQ_API uint64_t bnq_cache_list_bytes(const bnq_cache_list* list,
                                      uint64_t index);
BNQ_API double bnq_cache_list_used(const bnq_cache_list* list, uint64_t index);
/* 1 where it is damaged (set aside, or its head is wrong), else 0; -1 for an
 * index that is not there. Since 0.1. */
BNQ_API int32_t bnq_cache_list_damaged(const bnq_cache_list* list,
                                       uint64_t index);
/* The tensor's config as text, "" where it is damaged; and its shape as
 * bnq_tensor_shape (rank 0 where it is damaged). Since 0.1. */
BNQ_API const char* bnq_cache_list_config(const bnq_cache_list* list,
                                          uint64_t index);
BNQ_API int32_t bnq_cache_list_shape(const bnq_cache_list* list, uint64_t index,
                                     uint64_t* shape);

/* Reads all entries of the folder and sets those that are damaged aside, unless
 * it is read only. *out_damaged (may be NULL): how many these are. IO, after all
 * others have been read, where one cannot be. Since 0.1. */
BNQ_API bnq_status bnq_cache_verify(bnq_context* context, bnq_cache* cache,
                                    bnq_progress_fn progress, void* opaque,
                                    uint64_t* out_damaged);
/* Removes entries, those not used for longest first, until no more than `bytes`
 * are left in the folder and in memory; and what is no longer of use: damaged
 * entries, names without an entry, temporary files of processes that were
 * killed an hour ago. *out_removed (may be NULL): how many entries.
 * INVALID_ARGUMENT where the cache is read only, as below. Since 0.1. */
BNQ_API bnq_status bnq_cache_trim(bnq_context* context, bnq_cache* cache,
                                  uint64_t bytes, uint64_t* out_removed);
/* Removes the names that match a glob (as in bnq_plan_add), and entries that have
 * no other name. Since 0.1. */
BNQ_API bnq_status bnq_cache_remove(bnq_context* context, bnq_cache* cache,
                                    const char* glob, uint64_t* out_removed);
/* Removes all entries and names, and nothing else that may be in the folder.
 * Since 0.1. */
BNQ_API bnq_status bnq_cache_clear(bnq_context* context, bnq_cache* cache);

/* LAYERS. A model's layers one after the other, however large it is: each is read
 * from its files, quantized as a plan says or restored from a cache, and handed
 * over, while the next ones are got ready by a thread. In memory are `look_ahead`
 * layers besides those that the caller holds, and what the cache keeps
 * (BNQ_CACHE_MEMORY_LIMIT).
 *
 *   bnq_layers_open(context, "model", plan, cache, 2, &layers);
 *   for (i = 0; i < bnq_layers_count(layers); ++i) {
 *     bnq_layers_load(context, layers, i, NULL, NULL, &layer);
 *     ... bnq_layer_tensor(layer, k, &tensor), bnq_linear_create(...) ...
 *     bnq_layer_destroy(layer);
 *   }
 *
 * Layers may be loaded in any order, and as often as you like. The look-ahead goes
 * on from the layer that was loaded last: to the ones behind it; after a step
 * backwards, to those before it; and once a pass has begun anew, from the last
 * layer to the first ones.
 *
 * Tensors are a layer of that name where their names begin alike up to a first
 * component that is a number ("model.layers.3", "blk.3", "h.3"), or one that ends
 * with _ and a number; others are layers by their modules ("lm_head"). Embeddings
 * come first, then layers in the order of their names with numbers as numbers,
 * encoders before decoders, then norms, heads last.
 *
 * Any number of threads may use one; loaded layers are immutable, may be shared,
 * and may outlive it. In the child of a fork nothing is loaded ahead. */
typedef struct bnq_layers bnq_layers;
typedef struct bnq_layer bnq_layer;

/* The layers of a model file of any kind, or of its folder. plan (may be NULL: no
 * tensor) says which of its plain arrays are quantized and how, and is copied;
 * cache (may be NULL: quantized whenever they are loaded) where the results are
 * kept. From a file that was not changed within the last two seconds a tensor
 * that the cache has is not read again. The errors of bnq_file_open. Since 0.1. */
BNQ_API bnq_status bnq_layers_open(bnq_context* context, const char* model,
                                   const bnq_plan* plan, bnq_cache* cache,
                                   uint32_t look_ahead,
                                   bnq_layers** out_layers);
/* Waits for what is being loaded ahead to stop: 100 ms at most. Since 0.1. */
BNQ_API void bnq_layers_close(bnq_layers* layers);
/* Layers; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_layers_count(const bnq_layers* layers);
/* A layer's name; NULL for an index that is not there. Since 0.1. */
BNQ_API const char* bnq_layers_name(const bnq_layers* layers, uint64_t index);
/* Bytes of its tensors in the model; 0 for an index that is not there. Since 0.1.
 */
BNQ_API uint64_t bnq_layers_bytes(const bnq_layers* layers, uint64_t index);
/* The index of the layer of a name, or with a tensor of that name. NOT_FOUND.
 * Since 0.1. */
BNQ_API bnq_status bnq_layers_find(const bnq_layers* layers, const char* name,
                                   uint64_t* out_index);
/* Loads a layer, or waits for it. progress (may be NULL) hears of its bytes in
 * the model, and may cancel. Errors name the tensor. Since 0.1. */
BNQ_API bnq_status bnq_layers_load(bnq_context* context, bnq_layers* layers,
                                   uint64_t index, bnq_progress_fn progress,
                                   void* opaque, bnq_layer** out_layer);
/* Has all that the plan quantizes in the cache, so that no later pass waits for
 * it. progress hears of the bytes of all layers. INVALID_ARGUMENT without a
 * cache. Since 0.1. */
BNQ_API bnq_status bnq_layers_prepare(bnq_context* context, bnq_layers* layers,
                                      bnq_progress_fn progress, void* opaque);

/* What has become of the layers. Only ever appended to. */
enum {
  /* Layers loaded; and those of them that were, or were being, loaded ahead. */
  BNQ_LAYERS_STAT_LOADS = 0,
  BNQ_LAYERS_STAT_PREFETCHED = 1,
  /* Seconds that callers spent in bnq_layers_load. */
  BNQ_LAYERS_STAT_WAIT_SECONDS = 2,
  /* Tensors quantized; and restored from the cache. */
  BNQ_LAYERS_STAT_QUANTIZED = 3,
  BNQ_LAYERS_STAT_RESTORED = 4,
  /* Of arrays that were read to quantize them, or to know what they are. */
  BNQ_LAYERS_STAT_BYTES_READ = 5,
  /* Of the largest layer as loaded; and the most that layers took up at a time,
   * those in use by the caller and those ahead. */
  BNQ_LAYERS_STAT_LARGEST_BYTES = 6,
  BNQ_LAYERS_STAT_PEAK_BYTES = 7,
  BNQ_NUM_LAYERS_STATS = 8
};
/* As bnq_cache_stat_count and so on. Since 0.1. */
BNQ_API uint32_t bnq_layers_stat_count(void);
BNQ_API const char* bnq_layers_stat_name(uint32_t index);
BNQ_API bnq_status bnq_layers_stats(const bnq_layers* layers, double* stats,
                                    uint32_t stat_count);

/* Lets go of a loaded layer: its tensors may be in use beyond that, its arrays not.
 * Since 0.1. */
BNQ_API void bnq_layer_destroy(bnq_layer* layer);
/* Its name, and its tensors: their number (0 for NULL), and their names, sorted
 * (NULL for an index that is not there). Since 0.1. */
BNQ_API const char* bnq_layer_name(const bnq_layer* layer);
BNQ_API uint64_t bnq_layer_count(const bnq_layer* layer);
BNQ_API const char* bnq_layer_tensor_name(const bnq_layer* layer,
                                          uint64_t index);
/* Bytes of its tensors as loaded; 0 for NULL. Since 0.1. */
BNQ_API uint64_t bnq_layer_bytes(const bnq_layer* layer);
/* The tensor's BNQ_FORMAT_*: NONE of a plain array; -1 for an index that is not
 * there. Since 0.1. */
BNQ_API int32_t bnq_layer_format(const bnq_layer* layer, uint64_t index);
/* A quantized tensor; UNSUPPORTED for a plain array. Since 0.1. */
BNQ_API bnq_status bnq_layer_tensor(const bnq_layer* layer, uint64_t index,
                                    bnq_tensor** out_tensor);
/* A plain array, which lives as long as the layer; UNSUPPORTED for a quantized
 * tensor. Since 0.1. */
BNQ_API bnq_status bnq_layer_array(const bnq_layer* layer, uint64_t index,
                                   bnq_array* out_array);

/* ------------------------------------------------------------------------ */
/* 16. Sensitivity, budgets, estimates                                       */

/* Which config should each tensor have, so that a model fits a budget and loses
 * least?
 *
 *   bnq_sensitivity* sensitivity;
 *   bnq_sensitivity_create(&sensitivity);
 *   bnq_analyze_file(context, NULL, NULL, 0, "model.safetensors", NULL, NULL,
 *                    NULL, sensitivity);
 *   bnq_allocation* allocation;
 *   bnq_allocate(sensitivity, NULL, BNQ_BUDGET_BITS, 4.5, 0, &allocation);
 *   bnq_plan* plan;
 *   bnq_allocation_plan(allocation, &plan);  -> bnq_quantize_file
 *
 * The loss of a tensor under a config is its number of elements (or the weight
 * that was set) times its relative error: the sum of its squared errors over
 * the sum of its squares, each weighted by the importance of columns where the
 * plan has some. Such losses about add up while errors are small, and are about
 * proportional to what the model's own loss grows by (Malinovskii et al.,
 * HIGGS, 2024). Or it is what the caller measured
 * (bnq_sensitivity_set_metric): a perplexity's growth, an accuracy's fall.
 * Losses below 0 count as 0.
 *
 * What a tensor takes is exact: what it adds to a .bnq file that is not
 * compressed, data, alignment and its part of the index. (A file ends up to 63
 * bytes before that, where its last part does.) */

/* What was measured of a model; one JSON, used for all budgets. For one thread
 * at a time while it is changed. */
typedef struct bnq_sensitivity bnq_sensitivity;
/* Which config each tensor gets. Immutable, may be shared. */
typedef struct bnq_allocation bnq_allocation;

/* Without tensors. Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_create(bnq_sensitivity** out_sensitivity);
BNQ_API void bnq_sensitivity_destroy(bnq_sensitivity* sensitivity);

/* The candidates that are taken where none are given: their number, and a copy
 * of each. Since 0.1. */
BNQ_API uint32_t bnq_candidate_count(void);
BNQ_API bnq_status bnq_candidate_at(uint32_t index, bnq_config** out_config);

/* Measures the tensors of the model file at `input` (safetensors or its index)
 * under each candidate (NULL with 0: the ones above; a config of format NONE is
 * the tensor as it is), one tensor in memory at a time; the context's threads
 * share the work, which reads memory once for each candidate. plan (may be
 * NULL) says of which: tensors that a rule gives a config are measured under
 * that alone, those that a rule leaves are not; those that no rule is for, of
 * rank 2 and more and F64, F32, F16 or BF16, under all candidates. A candidate
 * that a tensor cannot have is left out. What the sensitivity has already is
 * not measured again, so a run can be gone on with: with save_path (NULL:
 * nowhere) what there is is saved there every few seconds, and at the end,
 * whatever it is. INVALID_ARGUMENT where it is of another model: of other
 * shapes, content (by samples of it) or importance. NON_FINITE and all others
 * of bnq_quantize_file. What has been measured until a failure stays. Since
 * 0.1. */
BNQ_API bnq_status bnq_analyze_file(bnq_context* context, const bnq_plan* plan,
                                    const bnq_config* const* candidates,
                                    uint64_t candidate_count,
                                    const char* input, const char* save_path,
                                    bnq_progress_fn progress, void* opaque,
                                    bnq_sensitivity* sensitivity);

/* Adds what another one measured of the same model, the same in any order.
 * INVALID_ARGUMENT where they contradict each other; nothing is added then.
 * Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_merge(bnq_sensitivity* sensitivity,
                                         const bnq_sensitivity* other);
/* As JSON; text as in bnq_config_to_text. From JSON: CORRUPT_FILE, UNSUPPORTED
 * for that of a library whose encoders give other bytes. From and into a file,
 * of at most 256 MiB, as bnq_plan_load and bnq_plan_save. Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_to_json(const bnq_sensitivity* sensitivity,
                                           char* text, uint64_t size,
                                           uint64_t* out_size);
BNQ_API bnq_status bnq_sensitivity_from_json(const char* text,
                                             bnq_sensitivity** out_sensitivity);
BNQ_API bnq_status bnq_sensitivity_load(bnq_context* context, const char* path,
                                        bnq_sensitivity** out_sensitivity);
BNQ_API bnq_status bnq_sensitivity_save(bnq_context* context,
                                        const bnq_sensitivity* sensitivity,
                                        const char* path, int32_t flags);

/* The caller's own loss of a tensor under a config that was measured
 * (NOT_FOUND), finite. Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_set_metric(bnq_sensitivity* sensitivity,
                                              const char* tensor,
                                              const bnq_config* config,
                                              double metric);
/* The same of a JSON file, {"TENSOR": {"CONFIG": NUMBER}}: all of them, or none.
 * CORRUPT_FILE. Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_load_metrics(bnq_context* context,
                                                bnq_sensitivity* sensitivity,
                                                const char* path);
/* What a relative error counts in place of the tensor's elements, 0 or more (0:
 * its elements). Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_set_weight(bnq_sensitivity* sensitivity,
                                              const char* tensor,
                                              double weight);
/* Measures the model's loss with one tensor under one config, and puts it into
 * *out_metric; another result than 0 cancels. */
typedef int32_t (*bnq_sensitivity_fn)(void* opaque, const char* tensor,
                                 const bnq_config* config, double* out_metric);
/* Asks for the metric of every tensor and config that has none yet, in order.
 * CANCELLED, INVALID_ARGUMENT; what was measured until then stays. Since 0.1. */
BNQ_API bnq_status bnq_sensitivity_measure(bnq_sensitivity* sensitivity,
                                           bnq_sensitivity_fn metric, void* opaque);

/* Positions in the caller's double array. Only ever appended to. */
enum {
  BNQ_SENSITIVITY_BYTES = 0,
  /* a weight */
  BNQ_SENSITIVITY_BITS = 1,
  BNQ_SENSITIVITY_RELATIVE_ERROR = 2,
  BNQ_SENSITIVITY_MAX_ERROR = 3,
  BNQ_SENSITIVITY_COSINE = 4,
  BNQ_SENSITIVITY_LOSS = 5,
  BNQ_NUM_SENSITIVITY_VALUES = 6
};
/* Tensors, sorted by name, and their configs, sorted by text: numbers of them,
 * a tensor's name (NULL), a copy of a config, and the first value_count values
 * of a tensor under one. Since 0.1. */
BNQ_API uint64_t bnq_sensitivity_count(const bnq_sensitivity* sensitivity);
BNQ_API const char* bnq_sensitivity_name(const bnq_sensitivity* sensitivity,
                                         uint64_t index);
BNQ_API uint64_t bnq_sensitivity_config_count(
    const bnq_sensitivity* sensitivity, uint64_t index);
BNQ_API bnq_status bnq_sensitivity_config(const bnq_sensitivity* sensitivity,
                                          uint64_t index, uint64_t config,
                                          bnq_config** out_config);
BNQ_API bnq_status bnq_sensitivity_values(const bnq_sensitivity* sensitivity,
                                          uint64_t index, uint64_t config,
                                          double* values, uint32_t value_count);

/* What a budget is of. */
enum {
  /* bytes of the .bnq file */
  BNQ_BUDGET_BYTES = 1,
  /* bits of the file for each element of all tensors */
  BNQ_BUDGET_BITS = 2,
  /* bytes of the tensors in the input over bytes of the file */
  BNQ_BUDGET_RATIO = 3
};
/* Without them, tensors that runtimes make one of have one config: q, k and v;
 * gate and up; and so have all experts of a layer. A plan's own ties hold with
 * them, too. (A tensor that has two names is one tensor: bnq_file_same_as.) */
enum {
  BNQ_ALLOCATE_FUSED_APART = 1,
  BNQ_ALLOCATE_EXPERTS_APART = 2
};
/* The configs of least loss that fit the budget: proven to be the best there
 * are, where the proof fits 64 MiB (multiple-choice knapsack; the bound and the
 * gap say how far from the best it can be otherwise). The same on every machine.
 * plan (may be NULL): rules that give a config pin it, rules of none leave a
 * tensor as it is, rules of bits>= are floors, and its ties hold. flags:
 * BNQ_ALLOCATE_*. INVALID_ARGUMENT where nothing fits (which names the least
 * budget and what takes most), where a tensor was not measured under what it is
 * pinned to, and where tied tensors have no config in common. Since 0.1. */
BNQ_API bnq_status bnq_allocate(const bnq_sensitivity* sensitivity,
                                const bnq_plan* plan, int32_t budget_kind,
                                double budget, int32_t flags,
                                bnq_allocation** out_allocation);
BNQ_API void bnq_allocation_destroy(bnq_allocation* allocation);
/* The plan: a rule for each tensor by its name, with the importance of the plan
 * that was given. Since 0.1. */
BNQ_API bnq_status bnq_allocation_plan(const bnq_allocation* allocation,
                                       bnq_plan** out_plan);

/* Positions in the caller's double array. Only ever appended to. */
enum {
  BNQ_ALLOCATION_BUDGET_BYTES = 0,
  /* of the file, up to 63 more than it has; of what has no choice; of the
   * smallest and the largest that the candidates allow */
  BNQ_ALLOCATION_BYTES = 1,
  BNQ_ALLOCATION_FIXED_BYTES = 2,
  BNQ_ALLOCATION_MIN_BYTES = 3,
  BNQ_ALLOCATION_MAX_BYTES = 4,
  BNQ_ALLOCATION_ELEMENTS = 5,
  /* a weight, of all tensors; and bytes of the input over those of the file */
  BNQ_ALLOCATION_BITS = 6,
  BNQ_ALLOCATION_RATIO = 7,
  BNQ_ALLOCATION_LOSS = 8,
  /* no choice has less; and (loss - bound) / loss, 0 where it is proven */
  BNQ_ALLOCATION_BOUND = 9,
  BNQ_ALLOCATION_GAP = 10,
  /* what a byte more would take off the loss, about */
  BNQ_ALLOCATION_LAMBDA = 11,
  BNQ_ALLOCATION_PROVEN = 12,
  BNQ_NUM_ALLOCATION_VALUES = 13
};
/* The first value_count of them. Since 0.1. */
BNQ_API bnq_status bnq_allocation_values(const bnq_allocation* allocation,
                                         double* values, uint32_t value_count);
/* The same of a tensor. */
enum {
  BNQ_ALLOCATION_ROW_BYTES = 0,
  BNQ_ALLOCATION_ROW_ELEMENTS = 1,
  BNQ_ALLOCATION_ROW_BITS = 2,
  BNQ_ALLOCATION_ROW_RELATIVE_ERROR = 3,
  BNQ_ALLOCATION_ROW_MAX_ERROR = 4,
  BNQ_ALLOCATION_ROW_COSINE = 5,
  BNQ_ALLOCATION_ROW_LOSS = 6,
  /* of the loss of all */
  BNQ_ALLOCATION_ROW_SHARE = 7,
  /* BNQ_LAYER_* */
  BNQ_ALLOCATION_ROW_KIND = 8,
  /* 1: by a rule of the plan; 1: its relative error is above 0.15, where losses
   * no longer just add up */
  BNQ_ALLOCATION_ROW_PINNED = 9,
  BNQ_ALLOCATION_ROW_COARSE = 10,
  /* the row whose config it shares, or its own index */
  BNQ_ALLOCATION_ROW_TIED_TO = 11,
  /* what the next better config would take more, and lose less, for all tensors
   * of a tie, in the row that they are tied to */
  BNQ_ALLOCATION_ROW_UPGRADE_BYTES = 12,
  BNQ_ALLOCATION_ROW_UPGRADE_LOSS = 13,
  BNQ_NUM_ALLOCATION_ROW_VALUES = 14
};
/* Tensors that were analyzed, sorted by name: their number, a name, the text of
 * its config ("none": as it is) and of the next better one (""), NULL for an
 * index that is not there. Since 0.1. */
BNQ_API uint64_t bnq_allocation_count(const bnq_allocation* allocation);
BNQ_API const char* bnq_allocation_name(const bnq_allocation* allocation,
                                        uint64_t index);
BNQ_API const char* bnq_allocation_config(const bnq_allocation* allocation,
                                          uint64_t index);
BNQ_API const char* bnq_allocation_upgrade(const bnq_allocation* allocation,
                                           uint64_t index);
BNQ_API bnq_status bnq_allocation_row(const bnq_allocation* allocation,
                                      uint64_t index, double* values,
                                      uint32_t value_count);

/* What bnq_quantize_file would write without compression, from the model's
 * headers alone: the bytes of the file (of all shards and their index, whose
 * names are those of model.bnq) into *out_file_bytes, to the byte, and its
 * report, without metrics. Outlier columns, which only the data tell, are not
 * counted, and a note says so. Either output may be NULL. Errors as
 * bnq_quantize_file's. Since 0.1. */
BNQ_API bnq_status bnq_estimate_file(bnq_context* context, const bnq_plan* plan,
                                     const char* input,
                                     uint64_t max_shard_bytes,
                                     uint64_t* out_file_bytes,
                                     bnq_report** out_report);

/* ------------------------------------------------------------------------ */
/* 16. Training                                                              */

/* A network that is trained as it will be quantized loses less. Here is what
 * such training does besides what any other does: the values that codes stand
 * for (fake quantization), the gradient through it, and a schedule.
 *
 *   bnq_fake_quantize(context, config, training, &w, 0, scales, NULL, NULL, n,
 *                     BNQ_DTYPE_F32, 0, fake, bytes, NULL, 0, NULL, NULL, 0,
 *                     NULL);
 *   ... the network runs with `fake` and gives dy, the gradient by it ...
 *   bnq_fake_quantize_gradient(context, config, training, &w, &dy, scales, NULL,
 *                              NULL, n, BNQ_DTYPE_F32, dw, bytes, NULL, NULL,
 *                              NULL, NULL);
 *
 * training = NULL stands for the defaults: values of codes, and a gradient that
 * passes within the range. A bnq_training may be shared by threads while nobody
 * sets its options; a bnq_schedule while nobody steps. */
typedef struct bnq_training bnq_training;

/* Options of training (BNQ_OPTIONS_TRAINING). */
enum {
  /* BNQ_ESTIMATOR_*: how a gradient passes through quantization */
  BNQ_TRAINING_ESTIMATOR = 1,
  /* of the estimator slope */
  BNQ_TRAINING_SLOPE = 2,
  /* of the estimator soft */
  BNQ_TRAINING_WIDTH = 3,
  /* LSQ's factor 1 / sqrt(elements that share a parameter * greatest code) of
   * gradients of scales, zero points and offsets: off or on */
  BNQ_TRAINING_GRADIENT_FACTOR = 4,
  /* BNQ_NOISE_*: in place of rounding; and how much, in steps of codes */
  BNQ_TRAINING_NOISE = 5,
  BNQ_TRAINING_NOISE_AMOUNT = 6,
  /* y = q + temperature * (x - q), where q is the value of the code (or with
   * noise): 0 is hard, 1 is no quantization */
  BNQ_TRAINING_TEMPERATURE = 7,
  /* Probability with which a value is quantized at all, drawn for
   * BNQ_DRAWN_BY_* */
  BNQ_TRAINING_PROBABILITY = 8,
  BNQ_TRAINING_PROBABILITY_OF = 9,
  /* of noise and probability, which are counter-based: the same draws for the
   * same seed and position on every machine. Rounding has a seed in config. */
  BNQ_TRAINING_SEED = 10,
  BNQ_NUM_TRAINING_OPTIONS = 10
};
/* What becomes of dy, with v = (x - offset) / scale, clipped where its code
 * would lie beyond those there are (of integer formats the nearest integer,
 * ties to even, whatever the rounding). */
enum {
  /* dy, and 0 where clipped */
  BNQ_ESTIMATOR_CLIPPED = 0,
  /* dy */
  BNQ_ESTIMATOR_STRAIGHT_THROUGH = 1,
  /* dy * (1 - tanh(u / width)^2), u from -1 at the least to 1 at the greatest
   * code */
  BNQ_ESTIMATOR_SOFT = 2,
  /* dy, and slope * dy where clipped; the slope may be learned */
  BNQ_ESTIMATOR_SLOPE = 3
};
enum {
  BNQ_NOISE_NONE = 0,
  /* x, held within the range, plus noise_amount * scale * u; u is uniform in
   * -0.5 .. 0.5 */
  BNQ_NOISE_UNIFORM = 1,
  /* the same with u normal, of standard deviation 1 */
  BNQ_NOISE_GAUSSIAN = 2
};
enum { BNQ_DRAWN_BY_ELEMENT = 0, BNQ_DRAWN_BY_LAYER = 1 };

/* Draws: the word w of element i (row-major; of DRAWN_BY_LAYER 0 for all) of
 * Philox4x32-10, of the key seed for probability, where a value is quantized if
 * w / 2^32 < probability, and of the key seed with its top bit flipped for
 * noise, where a = (w + 0.5) / 2^32 makes u = a - 0.5, or the normal deviate
 * below which a share a of all lie. Outlier columns have no noise. */

/* Options of training at their defaults. Since 0.1. */
BNQ_API bnq_status bnq_training_create(bnq_training** out_training);
BNQ_API void bnq_training_destroy(bnq_training* training);
/* Its options (BNQ_TRAINING_*), as in section 5. Since 0.1. */
BNQ_API const bnq_options* bnq_training_options(const bnq_training* training);
BNQ_API bnq_options* bnq_training_settings(bnq_training* training);

/* The number of scales that quantizing an array of this shape gives (and of
 * zero points or offsets, where the scheme has them). Since 0.1. */
BNQ_API bnq_status bnq_param_count(const bnq_config* config, int32_t rank,
                                   const uint64_t* shape, uint64_t* out_count);
/* The scale, and zero point or offset, for values from lo to hi as config says
 * (format, scheme, symmetric range and scale dtype count): of PACT, whose range
 * 0 .. hi is learned, say. zero_point and offset may be NULL. INVALID_ARGUMENT
 * for a range that is not finite or has hi < lo; UNSUPPORTED for a format
 * without scales. Since 0.1. */
BNQ_API bnq_status bnq_range_params(const bnq_config* config, float lo,
                                    float hi, float* scale, int8_t* zero_point,
                                    float* offset);

/* What fake quantization of a layer lost, over the steps of training: a handle
 * for each layer, that bnq_fake_quantize adds to. One may be read by several
 * threads while nobody adds to it. */
typedef struct bnq_training_statistics bnq_training_statistics;

/* Their values. NaN where there are no elements. Only ever appended to. */
enum {
  /* arrays, and their elements; those that were clipped, and their share */
  BNQ_TRAINING_STATISTIC_STEPS = 0,
  BNQ_TRAINING_STATISTIC_ELEMENTS = 1,
  BNQ_TRAINING_STATISTIC_CLIPPED = 2,
  BNQ_TRAINING_STATISTIC_CLIPPED_SHARE = 3,
  /* of all elements: the mean squared error, that over the mean square of the
   * values, and -10 log10 of this: BNQ_METRIC_SQNR_DB */
  BNQ_TRAINING_STATISTIC_MSE = 4,
  BNQ_TRAINING_STATISTIC_RELATIVE_MSE = 5,
  BNQ_TRAINING_STATISTIC_SQNR_DB = 6,
  BNQ_TRAINING_STATISTIC_MAX_ERROR = 7,
  /* of all scales; NaN where there are none */
  BNQ_TRAINING_STATISTIC_SCALE_MIN = 8,
  BNQ_TRAINING_STATISTIC_SCALE_MAX = 9,
  /* of the steps, the greatest share that was clipped, and the greatest relative
   * mean squared error */
  BNQ_TRAINING_STATISTIC_WORST_CLIPPED_SHARE = 10,
  BNQ_TRAINING_STATISTIC_WORST_RELATIVE_MSE = 11,
  BNQ_NUM_TRAINING_STATISTICS = 12
};

/* Statistics of no step. Since 0.1. */
BNQ_API bnq_status
bnq_training_statistics_create(bnq_training_statistics** out_statistics);
BNQ_API void bnq_training_statistics_destroy(
    bnq_training_statistics* statistics);
/* The first value_count of them. Since 0.1. */
BNQ_API bnq_status bnq_training_statistics_values(
    const bnq_training_statistics* statistics, double* values,
    uint32_t value_count);
/* Adds the steps of `other`. Sums are exact: steps give the same bits in
 * whatever order they are added and merged. Since 0.1. */
BNQ_API bnq_status
bnq_training_statistics_merge(bnq_training_statistics* statistics,
                              const bnq_training_statistics* other);
/* As bytes, the same ones on every machine, as bnq_calibrator_serialize and
 * bnq_calibrator_deserialize. Since 0.1. */
BNQ_API bnq_status bnq_training_statistics_serialize(
    const bnq_training_statistics* statistics, void* out, uint64_t out_bytes,
    uint64_t* out_size);
BNQ_API bnq_status bnq_training_statistics_deserialize(
    const void* data, uint64_t bytes, bnq_training_statistics** out_statistics);

/* What bnq_tensor_quantize and bnq_tensor_dequantize make of source, bit for
 * bit, as an array of dtype in out[out_bytes], in one pass over memory where
 * parameters can be found along with the values (not: granularity tensor, or
 * scale rules that search); then with training's noise, temperature and
 * probability. out may be the source's own data, of the same type; otherwise
 * they do not overlap.
 *   given        0: parameters are found as config says, and those that values
 *                are decoded with are written to scales, zero_points and
 *                offsets, unless they are NULL; 1: they are read from there, as
 *                bnq_tensor_quantize_static takes them; none of formats without
 *                scales
 *   param_count  that of bnq_param_count; 0 where scales is NULL
 *   overflow     BNQ_OVERFLOW_*, of F16 and BF16
 *   clipped      clipped_bytes = one byte for each element: 1 where it is
 *                clipped (BNQ_ESTIMATOR_*), else 0; NULL
 *   out_clipped  their number; NULL
 *   metrics      the first metric_count of BNQ_METRIC_* between source and what
 *                quantization alone makes of it; NULL
 *   statistics   to which the same is added as a step; NULL
 * INVALID_ARGUMENT, UNSUPPORTED, NON_FINITE as of those (NON_FINITE also for
 * statistics of values that BNQ_NON_FINITE_KEEP or BNQ_OVERFLOW_KEEP leaves);
 * on failure what is written is undefined, but statistics are as they were.
 * Since 0.1. */
BNQ_API bnq_status bnq_fake_quantize(
    bnq_context* context, const bnq_config* config,
    const bnq_training* training, const bnq_array* source, int32_t given,
    float* scales, int8_t* zero_points, float* offsets, uint64_t param_count,
    int32_t dtype, int32_t overflow, void* out, uint64_t out_bytes,
    uint8_t* clipped, uint64_t clipped_bytes, uint64_t* out_clipped,
    double* metrics, uint32_t metric_count,
    bnq_training_statistics* statistics);

/* The gradient by x of what has the gradient dy by bnq_fake_quantize(x) with the
 * same config, training and parameters, as an array of dtype in dx[dx_bytes],
 * which may be dy's own data of the same type. With y the fake quantized value,
 * and each of these NULL where it is not wanted:
 *   scale_gradients[param_count]   LSQ: the sum of dy * ((y - x) / scale) where
 *                not clipped, and dy * (code - zero point) where clipped, with
 *                the least or greatest code; of other formats their least or
 *                greatest value of scale 1
 *   shift_gradients[param_count]   of zero points: the sum of -dy * scale where
 *                clipped; of offsets: that of dy
 *   end_gradients[2 * param_count] the sums of dy where clipped at the least and
 *                at the greatest code: the second is that of PACT's clipping
 *                level, the second less the first that of one for both sides
 *   slope_gradient   by BNQ_TRAINING_SLOPE, whatever the estimator: the sum of
 *                dy * how far x lies beyond its code's value, where clipped
 * Sums are taken in a fixed order, of at most 1024 values in float32 and of these
 * in float64: the same with any number of threads and on every CPU. Without any
 * of them it is faster. A value left as it is, or in part, by probability or
 * temperature passes that part of dy, and adds the rest alone to sums; one of an
 * outlier column (of x) passes all of it. Formats without scales pass dy.
 * UNSUPPORTED for formats with a codebook. Since 0.1. */
BNQ_API bnq_status bnq_fake_quantize_gradient(
    bnq_context* context, const bnq_config* config,
    const bnq_training* training, const bnq_array* x, const bnq_array* dy,
    const float* scales, const int8_t* zero_points, const float* offsets,
    uint64_t param_count, int32_t dtype, void* dx, uint64_t dx_bytes,
    float* scale_gradients, float* shift_gradients, float* end_gradients,
    float* slope_gradient);

/* A phase of a schedule. */
typedef struct bnq_phase bnq_phase;

/* Options of phases (BNQ_OPTIONS_PHASE). */
enum {
  /* It ends after so many steps; ... */
  BNQ_PHASE_STEPS = 1,
  /* of codes: 1, 1.58, 2, 3, 4, 5, 6, 8, 16, or 32 for none */
  BNQ_PHASE_BITS = 2,
  /* after so many losses in a row none of which was better, which is less than
   * the best by this share of it; ... */
  BNQ_PHASE_PATIENCE = 3,
  BNQ_PHASE_IMPROVEMENT = 4,
  /* once the quantization error is this or less; 0: not by that. */
  BNQ_PHASE_MAX_ERROR = 5,
  /* From its first to its last step, evenly (at the end from the start, where
   * it does not end by steps): the temperature, the share of the elements that
   * are quantized, and that of the layers, from the first on. */
  BNQ_PHASE_TEMPERATURE_BEGIN = 6,
  BNQ_PHASE_TEMPERATURE_END = 7,
  BNQ_PHASE_SHARE_BEGIN = 8,
  BNQ_PHASE_SHARE_END = 9,
  BNQ_PHASE_LAYERS_BEGIN = 10,
  BNQ_PHASE_LAYERS_END = 11,
  BNQ_NUM_PHASE_OPTIONS = 11
};

/* A phase at its defaults: 8 bits, without an end. Since 0.1. */
BNQ_API bnq_status bnq_phase_create(bnq_phase** out_phase);
BNQ_API void bnq_phase_destroy(bnq_phase* phase);
/* Its options (BNQ_PHASE_*), as in section 5. Since 0.1. */
BNQ_API const bnq_options* bnq_phase_options(const bnq_phase* phase);
BNQ_API bnq_options* bnq_phase_settings(bnq_phase* phase);

typedef struct bnq_schedule bnq_schedule;

/* A schedule at the first step of the first of `count` phases, which are copied.
 * INVALID_ARGUMENT, naming the phase, for none at all, for bits that no codes
 * have, and for a phase that nothing ends and that is not the last. Since 0.1.
 */
BNQ_API bnq_status bnq_schedule_create(const bnq_phase* const* phases,
                                       uint64_t count,
                                       bnq_schedule** out_schedule);
BNQ_API void bnq_schedule_destroy(bnq_schedule* schedule);
/* A step of training is done, with its loss and quantization error (any measure
 * of it), each NaN where there is none. *out_ended (may be NULL): 1 where a
 * phase ended. After the last one it stays at that one's end. INVALID_ARGUMENT
 * for infinity. Since 0.1. */
BNQ_API bnq_status bnq_schedule_step(bnq_schedule* schedule, double loss,
                                     double error, int32_t* out_ended);

/* Where a schedule stands. Only ever appended to. */
enum {
  BNQ_SCHEDULE_PHASE = 0,
  /* steps of the phase, and of all, that are done */
  BNQ_SCHEDULE_PHASE_STEP = 1,
  BNQ_SCHEDULE_STEP = 2,
  BNQ_SCHEDULE_BITS = 3,
  BNQ_SCHEDULE_TEMPERATURE = 4,
  /* of elements, and of layers */
  BNQ_SCHEDULE_SHARE = 5,
  BNQ_SCHEDULE_LAYERS = 6,
  /* of the phase; NaN before there is one; and losses since then */
  BNQ_SCHEDULE_BEST_LOSS = 7,
  BNQ_SCHEDULE_SINCE_BEST = 8,
  /* 1: the last phase has ended */
  BNQ_SCHEDULE_DONE = 9,
  BNQ_NUM_SCHEDULE_VALUES = 10
};
/* The first value_count of them. Since 0.1. */
BNQ_API bnq_status bnq_schedule_values(const bnq_schedule* schedule,
                                       double* values, uint32_t value_count);
/* Sets what layer `layer` of `layers`, in the order in which they are to be
 * quantized, is trained with in this step: config's format, training's
 * temperature and probability. *out_quantized = 0, and nothing is set, where it
 * is not quantized yet. INVALID_ARGUMENT for layer >= layers. Since 0.1. */
BNQ_API bnq_status bnq_schedule_apply(const bnq_schedule* schedule,
                                      uint64_t layer, uint64_t layers,
                                      bnq_config* config,
                                      bnq_training* training,
                                      int32_t* out_quantized);
/* Phases and where it stands as bytes, the same ones on every machine, so that
 * training goes on where it was left: as bnq_calibrator_serialize and
 * bnq_calibrator_deserialize. Since 0.1. */
BNQ_API bnq_status bnq_schedule_serialize(const bnq_schedule* schedule,
                                          void* out, uint64_t out_bytes,
                                          uint64_t* out_size);
BNQ_API bnq_status bnq_schedule_deserialize(const void* data, uint64_t bytes,
                                            bnq_schedule** out_schedule);

/* ------------------------------------------------------------------------ */
/* 17. Interchange                                                           */

/* Models in the layouts of other ecosystems. Their files are model files like any
 * other: bnq_file_open shows what bitsandbytes, GPTQ or llama.cpp have quantized
 * as tensors of this library's, with the same codes, and so do conversions,
 * comparison, layers and operators. Where no format here holds the codes, it is a
 * plain float32 array of the values by their definition (bnq_file_layout says so).
 *
 *   bnq_export_file(context, NULL, "compressed-tensors", "model", "model-vllm", 0,
 *                   0, NULL, NULL, &report);
 *   bnq_import_file(context, NULL, "model.gguf", "model.bnq", 0, 0, NULL, NULL,
 *                   NULL);
 *
 * Codes are transcoded, never derived anew from values. What else a tensor loses
 * is its verdict. */
enum {
  /* every value is the same */
  BNQ_VERDICT_EXACT = 1,
  /* codes are the same; scales, zero points or offsets are rounded, which the
   * row's note says */
  BNQ_VERDICT_SCALES_ROUNDED = 2,
  /* the layout cannot hold it; the note says why */
  BNQ_VERDICT_NOT_REPRESENTABLE = 3,
  /* quantized anew, since BNQ_WRITE_REQUANTIZE asked for that */
  BNQ_VERDICT_REQUANTIZED = 4
};
/* "exact", ...; NULL for other numbers. Since 0.1. */
BNQ_API const char* bnq_verdict_name(int32_t verdict);
/* BNQ_VERDICT_* of a quantized tensor in the report of an export; 0 of other rows,
 * and of other reports. Since 0.1. */
BNQ_API int32_t bnq_report_verdict(const bnq_report* report, uint64_t index);

/* The layouts: their number, and of each its name ("gptq"), NULL past the last;
 * what it is, in a sentence; and BNQ_LAYOUT_* of what can be done. Since 0.1. */
enum { BNQ_LAYOUT_READ = 1, BNQ_LAYOUT_WRITTEN = 2 };
BNQ_API uint32_t bnq_layout_count(void);
BNQ_API const char* bnq_layout_name(uint32_t index);
BNQ_API const char* bnq_layout_description(uint32_t index);
BNQ_API int32_t bnq_layout_flags(uint32_t index);

/* How to export and import; NULL stands for the defaults. May be shared by threads
 * while nobody changes it. */
typedef struct bnq_interchange bnq_interchange;

/* Options of interchange (BNQ_OPTIONS_INTERCHANGE). */
enum {
  /* BNQ_INTERCHANGE_SCALES_*: what scales are written as, where the layout has
   * several types */
  BNQ_INTERCHANGE_SCALE_DTYPE = 1,
  /* BNQ_WEIGHT_SCALE_*: what the weight_scale of BitNet's files means */
  BNQ_INTERCHANGE_WEIGHT_SCALE = 2,
  /* BNQ_I2_S_*: the order of bytes in GGUF tensors of the type I2_S, which files
   * do not tell */
  BNQ_INTERCHANGE_I2_S = 3,
  /* percent of itself that a scale may change by in rounding: no error */
  BNQ_INTERCHANGE_MAX_SCALE_CHANGE = 4,
  BNQ_NUM_INTERCHANGE_OPTIONS = 4
};
enum {
  /* as they are, or float16 where the layout has no other */
  BNQ_INTERCHANGE_SCALES_KEEP = 0,
  BNQ_INTERCHANGE_SCALES_F32 = 1,
  BNQ_INTERCHANGE_SCALES_F16 = 2,
  BNQ_INTERCHANGE_SCALES_BF16 = 3
};
enum {
  /* as the linear_class of config.json says */
  BNQ_WEIGHT_SCALE_CONFIG = 0,
  BNQ_WEIGHT_SCALE_MULTIPLY = 1,
  BNQ_WEIGHT_SCALE_DIVIDE = 2
};
enum { BNQ_I2_S_UNKNOWN = 0, BNQ_I2_S_X86 = 1, BNQ_I2_S_ARM = 2 };

/* Options at their defaults. Since 0.1. */
BNQ_API bnq_status bnq_interchange_create(bnq_interchange** out_interchange);
BNQ_API void bnq_interchange_destroy(bnq_interchange* interchange);
/* Its options (BNQ_INTERCHANGE_*), as in section 5. Since 0.1. */
BNQ_API const bnq_options* bnq_interchange_options(
    const bnq_interchange* interchange);
BNQ_API bnq_options* bnq_interchange_settings(bnq_interchange* interchange);
/* Of exports to GGUF: a GGUF file of the same model, from which the metadata (the
 * tokenizer among them) and the names of tensors are taken; NULL or "" for none.
 * Opened when it is needed. Since 0.1. */
BNQ_API bnq_status bnq_interchange_set_metadata_from(
    bnq_interchange* interchange, const char* path);

/* Writes a model of any kind in a layout (INVALID_ARGUMENT lists them) into a file,
 * or, as bnq_quantize_file, a folder into a folder, whose config.json then says
 * what its loaders need to know. UNSUPPORTED names the first tensor that the layout
 * cannot hold, unless flags have REQUANTIZE, which quantizes it anew as closely as
 * the layout can; with DRY_RUN it is a row, and sizes and verdicts come from
 * headers alone. Plain arrays stay as they are, or as the layout's loaders want
 * them (norms in GGUF as float32). flags: OVERWRITE, DRY_RUN, REQUANTIZE. The
 * rest, progress and errors as bnq_quantize_file. Since 0.1. */
BNQ_API bnq_status bnq_export_file(bnq_context* context,
                                   const bnq_interchange* interchange,
                                   const char* layout, const char* input,
                                   const char* output, int32_t flags,
                                   uint64_t max_shard_bytes,
                                   bnq_progress_fn progress, void* opaque,
                                   bnq_report** out_report);
/* Writes a model of any layout as a .bnq file, or a folder into a folder. flags:
 * OVERWRITE, COMPRESS, DRY_RUN, RESUME, RESTART. As above. Since 0.1. */
BNQ_API bnq_status bnq_import_file(bnq_context* context,
                                   const bnq_interchange* interchange,
                                   const char* input, const char* output,
                                   int32_t flags, uint64_t max_shard_bytes,
                                   bnq_progress_fn progress, void* opaque,
                                   bnq_report** out_report);

/* ------------------------------------------------------------------------ */
/* 18. Work in parts, for several processes or machines                       */

/* A model is worked on in parts by processes that know nothing of each other but
 * see the same files: each calls a function below for some of the parts [0, parts),
 * in any order, more than once if need be. A part is a run of neighbouring tensors,
 * all parts of about as many bytes (one may have none), by the model's headers
 * alone. Results depend on the number of parts, not on who made them:
 *
 *   each process:  bnq_quantize_part(context, plan, "model", "out", i, n, 0, NULL,
 *                                    NULL, NULL)
 *   then one:      bnq_join_parts(context, plan, "model", "out", n, 0, NULL, NULL,
 *                                 NULL)
 *
 * INVALID_ARGUMENT unless 1 <= parts <= 99999 and part < parts. */

/* A number of parts that suits the model at `input`: as many as it has files, or one
 * for each GiB of a single one. Since 0.1. */
BNQ_API bnq_status bnq_part_count(bnq_context* context, const char* input,
                                  uint64_t* out_count);
/* Quantizes the tensors of a part, as bnq_quantize_file, for the folder `output`,
 * which is not there before they are joined. What is finished is in `output`.parts:
 * files, and records of what was made of which input by which plan and flags. A part
 * that is finished already is not made again; one of another plan is replaced. The
 * report is that of the part. flags: OVERWRITE, COMPRESS, DRY_RUN, REQUANTIZE. Since
 * 0.1. */
BNQ_API bnq_status bnq_quantize_part(bnq_context* context,
                                     const bnq_plan* plan, const char* input,
                                     const char* output, uint64_t part,
                                     uint64_t parts, int32_t flags,
                                     bnq_progress_fn progress, void* opaque,
                                     bnq_report** out_report);
/* Makes the folder of all parts: a file for each (model-00001-of-00064.bnq), their
 * index, and what is beside the weights of a folder with a config.json. Plan and
 * flags are those of the parts. NOT_FOUND names a part that is not finished, EXISTS
 * one of another input, plan or flags. The report is that of bnq_quantize_file. If
 * it fails or is killed, it can be called again. Since 0.1. */
BNQ_API bnq_status bnq_join_parts(bnq_context* context, const bnq_plan* plan,
                                  const char* input, const char* output,
                                  uint64_t parts, int32_t flags,
                                  bnq_progress_fn progress, void* opaque,
                                  bnq_report** out_report);
/* As bnq_analyze_file, of the tensors of a part: the sensitivities of all parts
 * merge (bnq_sensitivity_merge) into that of the whole model. Since 0.1. */
BNQ_API bnq_status bnq_analyze_part(bnq_context* context, const bnq_plan* plan,
                                    const bnq_config* const* candidates,
                                    uint64_t candidate_count,
                                    const char* input, uint64_t part,
                                    uint64_t parts, const char* save_path,
                                    bnq_progress_fn progress, void* opaque,
                                    bnq_sensitivity* sensitivity);
/* As bnq_file_verify, of the tensors of a part; what belongs to no tensor is
 * checked with part 0. Since 0.1. */
BNQ_API bnq_status bnq_file_verify_part(bnq_context* context,
                                        const bnq_file* file, uint64_t part,
                                        uint64_t parts,
                                        bnq_progress_fn progress, void* opaque);

#ifdef __cplusplus
}
#endif

#endif /* BNQ_BNQ_H_ */
