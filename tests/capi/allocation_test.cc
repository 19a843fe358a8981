// Every allocation of a whole session made to fail once, those of the caller's
// allocator and those of the C++ heap: an error each time, never a crash, and
// nothing leaked.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "bnq/bnq.h"

namespace {

// Counts down at each allocation made while armed; fails at 0.
std::atomic<long> g_countdown{-1};
std::atomic<bool> g_armed{false};
std::atomic<long> g_live{0};

bool MayAllocate() { return !g_armed || g_countdown-- != 0; }

void* HookAlloc(void*, uint64_t bytes) {
  if (!MayAllocate()) return nullptr;
  void* p = std::malloc(bytes);
  if (p) ++g_live;
  return p;
}

void HookFree(void*, void* p) {
  --g_live;
  std::free(p);
}

}  // namespace

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
// The library's C++ allocations come here too.
void* operator new(size_t bytes) {
  void* p = MayAllocate() ? std::malloc(bytes ? bytes : 1) : nullptr;
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return MayAllocate() ? std::malloc(bytes ? bytes : 1) : nullptr;
}
void* operator new[](size_t bytes) { return operator new(bytes); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace {

// Handles of a session, freed however far it came.
struct Session {
  ~Session() {
    bnq_calibrator_destroy(merged);
    bnq_calibrator_destroy(calibrator);
    bnq_report_destroy(report);
    bnq_plan_destroy(plan);
    bnq_file_close(file);
    bnq_tensor_destroy(read);
    bnq_tensor_destroy(tensor);
    bnq_writer_destroy(writer);
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_tensor* tensor = nullptr;
  bnq_tensor* read = nullptr;
  bnq_writer* writer = nullptr;
  bnq_file* file = nullptr;
  bnq_plan* plan = nullptr;
  bnq_report* report = nullptr;
  bnq_calibrator* calibrator = nullptr;
  bnq_calibrator* merged = nullptr;
};

struct Paths {
  explicit Paths(const std::string& dir)
      : in(dir + "/in.safetensors"),
        out(dir + "/out.bnq"),
        back(dir + "/back.safetensors") {}
  std::string in, out, back;
};

// Channels of the session's array, of 50 values each: the fewest that reach
// every place that allocates (by return addresses); more would only repeat
// those.
constexpr size_t kChannels = 4;

// Stops at the first status that is not OK.
bnq_status RunSession(const Paths& paths, const std::vector<float>& values,
                      Session* s) {
#define TRY(call)                        \
  do {                                   \
    const bnq_status status = (call);    \
    if (status != BNQ_OK) return status; \
  } while (0)
  const uint64_t shape[2] = {kChannels, values.size() / kChannels};
  const bnq_array array = {values.data(), shape, BNQ_DTYPE_F32, 2};
  const bnq_allocator allocator = {HookAlloc, HookFree, nullptr};
  TRY(bnq_context_create(&allocator, &s->context));
  TRY(bnq_context_set_threads(s->context, 2));
  TRY(bnq_config_create(&s->config));
  TRY(bnq_options_set_text(bnq_config_settings(s->config), "format", "int8"));
  TRY(bnq_options_set_text(bnq_config_settings(s->config), "granularity",
                           "channel"));
  TRY(bnq_options_set_text(bnq_config_settings(s->config), "axis", "1"));
  TRY(bnq_tensor_quantize(s->context, s->config, &array, &s->tensor));
  std::vector<float> out(values.size());
  TRY(bnq_tensor_dequantize(s->context, s->tensor, BNQ_DTYPE_F32,
                            BNQ_OVERFLOW_ERROR, out.data(), 4 * out.size()));
  double metrics[BNQ_NUM_METRICS];
  TRY(bnq_tensor_compare(s->context, &array, s->tensor, metrics, 5));
  TRY(bnq_writer_create(s->context, paths.in.c_str(), BNQ_FILE_SAFETENSORS,
                        BNQ_WRITE_OVERWRITE, 0, &s->writer));
  TRY(bnq_writer_set_metadata(s->writer, "key", "value"));
  TRY(bnq_writer_add_array(s->writer, "weight", &array));
  TRY(bnq_writer_add_array(s->writer, "another", &array));
  TRY(bnq_writer_finish(s->writer));
  TRY(bnq_plan_create(&s->plan));
  TRY(bnq_plan_add(s->plan, "w*", 2, s->config));
  TRY(bnq_quantize_file(s->context, s->plan, paths.in.c_str(),
                        paths.out.c_str(),
                        BNQ_WRITE_OVERWRITE | BNQ_WRITE_COMPRESS, 0, nullptr,
                        nullptr, &s->report));
  TRY(bnq_file_open(s->context, paths.out.c_str(), 0, &s->file));
  TRY(bnq_file_verify(s->context, s->file, nullptr, nullptr));
  uint64_t index = 0;
  TRY(bnq_file_find(s->file, "weight", &index));
  TRY(bnq_file_tensor(s->context, s->file, index, &s->read));
  bnq_report_destroy(s->report);
  s->report = nullptr;
  TRY(bnq_dequantize_file(s->context, paths.out.c_str(), paths.back.c_str(),
                          BNQ_DTYPE_F16, BNQ_OVERFLOW_ERROR,
                          BNQ_WRITE_OVERWRITE, 0, nullptr, nullptr, nullptr));
  TRY(bnq_compare_files(s->context, paths.in.c_str(), paths.back.c_str(),
                        nullptr, nullptr, &s->report));
  TRY(bnq_calibrator_create(&s->calibrator));
  TRY(bnq_options_set_text(bnq_calibrator_settings(s->calibrator), "method",
                           "percentile"));
  TRY(bnq_options_set_text(bnq_calibrator_settings(s->calibrator), "bins",
                           "64"));
  TRY(bnq_options_set_text(bnq_calibrator_settings(s->calibrator),
                           "granularity", "channel"));
  TRY(bnq_options_set_text(bnq_calibrator_settings(s->calibrator), "axis",
                           "0"));
  TRY(bnq_options_set_text(bnq_calibrator_settings(s->calibrator), "moments",
                           "on"));
  TRY(bnq_calibrator_observe(s->context, s->calibrator, &array));
  TRY(bnq_calibrator_observe_file(s->context, s->calibrator, paths.in.c_str(),
                                  "weight", nullptr, nullptr));
  float lo[kChannels], hi[kChannels];
  TRY(bnq_calibrator_range(s->context, s->calibrator, lo, hi, kChannels));
  uint64_t size = 0;
  TRY(bnq_calibrator_serialize(s->context, s->calibrator, nullptr, 0, &size));
  std::vector<uint8_t> bytes(size);
  TRY(bnq_calibrator_serialize(s->context, s->calibrator, bytes.data(), size,
                               &size));
  TRY(bnq_calibrator_deserialize(s->context, bytes.data(), size, &s->merged));
  TRY(bnq_calibrator_merge(s->context, s->merged, s->calibrator));
#undef TRY
  return BNQ_OK;
}

TEST(Allocation, EachFailsOnce) {
  // Hundreds of sessions write files: where there is one, to a file system in
  // memory, which need not wait for a disk.
  const std::filesystem::path memory = "/dev/shm";
  const std::filesystem::path dir =
      (access(memory.c_str(), W_OK) == 0
           ? memory
           : std::filesystem::temp_directory_path()) /
      ("bnq-allocation-" +
       std::to_string(std::hash<std::string>()(testing::TempDir() + __FILE__) %
                      1000000) +
       "-" + std::to_string(reinterpret_cast<uintptr_t>(&g_live) % 1000003));
  std::filesystem::create_directories(dir);
  const Paths paths(dir.string());
  std::vector<float> values(kChannels * 50);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i));
  }

  long total = 0;
  for (long fail = 0;; ++fail) {
    std::string message;
    bnq_status status;
    {
      Session session;
      g_countdown = fail;
      g_armed = true;
      try {
        status = RunSession(paths, values, &session);
      } catch (const std::bad_alloc&) {
        status = BNQ_ERROR_OUT_OF_MEMORY;  // of this test's own vector
      }
      g_armed = false;
    }
    ASSERT_EQ(g_live.load(), 0) << "leaked at allocation " << fail;
    if (g_countdown >= 0) {  // none was left to fail
      ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
      total = fail;
      break;
    }
    // The pool does without threads that cannot be started.
    if (status != BNQ_OK) {
      ASSERT_EQ(status, BNQ_ERROR_OUT_OF_MEMORY)
          << "allocation " << fail << ": " << bnq_last_error();
    }
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      const std::string name = entry.path().filename().string();
      ASSERT_TRUE(name == "in.safetensors" || name == "out.bnq" ||
                  name == "back.safetensors")
          << name << " was left behind at allocation " << fail;
    }
  }
  EXPECT_GT(total, 100);
  std::filesystem::remove_all(dir);
}

// All methods of parameter optimisation, of few steps: what counts is that all
// of it runs. A session of its own, since every allocation runs all before it
// once more.
struct Optimization {
  ~Optimization() {
    bnq_tensor_destroy(tensor);
    bnq_optimizer_destroy(optimizer);
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_optimizer* optimizer = nullptr;
  bnq_tensor* tensor = nullptr;
};

bnq_status RunMethod(const char* method, Optimization* o) {
  float values[4 * 10], input_scales[10];
  for (int i = 0; i < 40; ++i) values[i] = std::sin(static_cast<float>(i * i));
  const uint64_t shape[2] = {4, 10};
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 2};
  const bool inputs = method[0] == 'a' || method[1] == 'p';
  const bnq_allocator allocator = {HookAlloc, HookFree, nullptr};
#define TRY(call)                        \
  do {                                   \
    const bnq_status status = (call);    \
    if (status != BNQ_OK) return status; \
  } while (0)
  TRY(bnq_context_create(&allocator, &o->context));
  TRY(bnq_context_set_threads(o->context, 2));
  TRY(bnq_config_from_text("int4_per_group_32,scale_dtype=f16", &o->config));
  TRY(bnq_optimizer_create(&o->optimizer));
  TRY(bnq_options_set_text(bnq_optimizer_settings(o->optimizer), "method",
                           method));
  TRY(bnq_options_set_text(bnq_optimizer_settings(o->optimizer), "iterations",
                           "1"));
  TRY(bnq_options_set_text(bnq_optimizer_settings(o->optimizer), "steps", "2"));
  TRY(bnq_options_set_text(bnq_optimizer_settings(o->optimizer), "ratios",
                           "2"));
  TRY(bnq_optimize(o->context, o->optimizer, o->config, &array,
                   inputs ? &array : nullptr, nullptr, nullptr, &o->tensor,
                   input_scales, 10, nullptr, 0));
#undef TRY
  return BNQ_OK;
}

TEST(Allocation, EachOfAnOptimizationFailsOnce) {
  for (const char* method : {"grid", "hqq", "gradient", "gptq", "awq"}) {
    SCOPED_TRACE(method);
    for (long fail = 0;; ++fail) {
      bnq_status status;
      {
        Optimization optimization;
        g_countdown = fail;
        g_armed = true;
        status = RunMethod(method, &optimization);
        g_armed = false;
        ASSERT_EQ(optimization.tensor == nullptr, status != BNQ_OK);
      }
      ASSERT_EQ(g_live.load(), 0) << "leaked at allocation " << fail;
      if (g_countdown >= 0) {  // none was left to fail
        ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
        EXPECT_GT(fail, 30);
        break;
      }
      // The pool does without threads that cannot be started.
      if (status != BNQ_OK) {
        ASSERT_EQ(status, BNQ_ERROR_OUT_OF_MEMORY)
            << "allocation " << fail << ": " << bnq_last_error();
      }
    }
  }
}

// Layers of every path through linear layers, and an embedding.
struct Layers {
  ~Layers() {
    bnq_linear_destroy(floats);
    bnq_linear_destroy(integers);
    bnq_operator_destroy(options);
    bnq_tensor_destroy(weight);
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_tensor* weight = nullptr;
  bnq_operator* options = nullptr;
  bnq_linear* integers = nullptr;
  bnq_linear* floats = nullptr;
};

bnq_status RunLayers(Layers* l) {
  float values[4 * 40], x[9 * 40], y[2][9 * 4], rows[2 * 40];
  for (int i = 0; i < 160; ++i) values[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 360; ++i) x[i] = std::cos(static_cast<float>(i));
  const uint64_t shape[2] = {4, 40}, four = 4;
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 2};
  const bnq_array bias = {values, &four, BNQ_DTYPE_F32, 1};
  bnq_matrix in = {}, out[2] = {}, table = {};
  in.data = x;
  in.rows = 9;
  in.columns = 40;
  in.dtype = BNQ_DTYPE_F32;
  for (int i = 0; i < 2; ++i) {
    out[i] = in;
    out[i].data = y[i];
    out[i].columns = 4;
  }
  table = in;
  table.data = rows;
  table.rows = 2;
  const int64_t indices[2] = {3, 0};
  const bnq_allocator allocator = {HookAlloc, HookFree, nullptr};
#define TRY(call)                        \
  do {                                   \
    const bnq_status status = (call);    \
    if (status != BNQ_OK) return status; \
  } while (0)
  TRY(bnq_context_create(&allocator, &l->context));
  TRY(bnq_context_set_threads(l->context, 2));
  TRY(bnq_config_from_text("int4_per_group_32", &l->config));
  TRY(bnq_tensor_quantize(l->context, l->config, &array, &l->weight));
  TRY(bnq_operator_create(&l->options));
  TRY(bnq_linear_create(l->context, l->options, l->weight, nullptr,
                        &l->floats));
  TRY(bnq_options_set_text(bnq_operator_settings(l->options), "input", "int8"));
  TRY(bnq_linear_create(l->context, l->options, l->weight, &bias,
                        &l->integers));
  const bnq_linear* both[2] = {l->integers, l->floats};
  TRY(bnq_linear_run_many(both, 2, l->context, &in, out, nullptr, 0));
  TRY(bnq_linear_run(l->integers, l->context, &in, out, nullptr, 0));
  TRY(bnq_embedding(l->context, l->weight, indices, 2, &table));
#undef TRY
  return BNQ_OK;
}

TEST(Allocation, EachOfALinearLayerFailsOnce) {
  for (long fail = 0;; ++fail) {
    bnq_status status;
    {
      Layers layers;
      g_countdown = fail;
      g_armed = true;
      status = RunLayers(&layers);
      g_armed = false;
    }
    ASSERT_EQ(g_live.load(), 0) << "leaked at allocation " << fail;
    if (g_countdown >= 0) {  // none was left to fail
      ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
      EXPECT_GT(fail, 20);
      break;
    }
    // The pool does without threads that cannot be started.
    if (status != BNQ_OK) {
      ASSERT_EQ(status, BNQ_ERROR_OUT_OF_MEMORY)
          << "allocation " << fail << ": " << bnq_last_error();
    }
  }
}

// Convolutions of both ways, of channels first: by patches, and channel by
// channel.
struct Images {
  ~Images() {
    for (bnq_convolution* c : convolutions) bnq_convolution_destroy(c);
    for (bnq_tensor* weight : weights) bnq_tensor_destroy(weight);
    bnq_operator_destroy(options);
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_operator* options = nullptr;
  bnq_tensor* weights[2] = {};
  bnq_convolution* convolutions[2] = {};
};

bnq_status RunImages(Images* c) {
  float values[2 * 2 * 9], x[2 * 2 * 25], y[2 * 2 * 9];
  for (int i = 0; i < 36; ++i) values[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 100; ++i) x[i] = std::cos(static_cast<float>(i));
  const uint64_t two = 2;
  const bnq_array bias = {values, &two, BNQ_DTYPE_F32, 1};
  bnq_matrix in = {}, out = {};
  in.data = x;
  in.rows = out.rows = 2;
  in.columns = 50;
  out.data = y;
  out.columns = 18;
  in.dtype = out.dtype = BNQ_DTYPE_F32;
  const bnq_allocator allocator = {HookAlloc, HookFree, nullptr};
#define TRY(call)                        \
  do {                                   \
    const bnq_status status = (call);    \
    if (status != BNQ_OK) return status; \
  } while (0)
  TRY(bnq_context_create(&allocator, &c->context));
  TRY(bnq_context_set_threads(c->context, 2));
  TRY(bnq_config_from_text("int8,granularity=channel", &c->config));
  TRY(bnq_operator_create(&c->options));
  bnq_options* const settings = bnq_operator_settings(c->options);
  TRY(bnq_options_set_text(settings, "input", "int8_asymmetric"));
  for (int i = 0; i < 2; ++i) {
    const uint64_t inputs = i == 0 ? 2 : 1, shape[4] = {2, inputs, 3, 3};
    const bnq_array array = {values, shape, BNQ_DTYPE_F32, 4};
    TRY(bnq_options_set_int(settings, BNQ_OPERATOR_GROUPS, i + 1));
    TRY(bnq_tensor_quantize(c->context, c->config, &array, &c->weights[i]));
    TRY(bnq_convolution_create(c->context, c->options, c->weights[i], &bias,
                               &c->convolutions[i]));
    TRY(bnq_convolution_run(c->convolutions[i], c->context, &in, 5, 5, &out,
                            nullptr, 0));
  }
#undef TRY
  return BNQ_OK;
}

TEST(Allocation, EachOfAConvolutionFailsOnce) {
  for (long fail = 0;; ++fail) {
    bnq_status status;
    {
      Images images;
      g_countdown = fail;
      g_armed = true;
      status = RunImages(&images);
      g_armed = false;
    }
    ASSERT_EQ(g_live.load(), 0) << "leaked at allocation " << fail;
    if (g_countdown >= 0) {  // none was left to fail
      ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
      EXPECT_GT(fail, 20);
      break;
    }
    // The pool does without threads that cannot be started.
    if (status != BNQ_OK) {
      ASSERT_EQ(status, BNQ_ERROR_OUT_OF_MEMORY)
          << "allocation " << fail << ": " << bnq_last_error();
    }
  }
}

// A cache on disk: an entry is made, found in memory and in the folder, listed.
struct Cached {
  ~Cached() {
    bnq_cache_list_destroy(list);
    for (bnq_tensor* tensor : tensors) bnq_tensor_destroy(tensor);
    for (bnq_cache* cache : caches) bnq_cache_destroy(cache);
    bnq_config_destroy(config);
    bnq_context_destroy(context);
  }
  bnq_context* context = nullptr;
  bnq_config* config = nullptr;
  bnq_cache* caches[2] = {};
  bnq_tensor* tensors[4] = {};
  bnq_cache_list* list = nullptr;
};

bnq_status RunCached(const std::string& folder, Cached* c) {
  float values[2 * 40];
  for (int i = 0; i < 80; ++i) values[i] = std::sin(static_cast<float>(i));
  const uint64_t shape[2] = {2, 40};
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 2};
  const bnq_allocator allocator = {HookAlloc, HookFree, nullptr};
#define TRY(call)                        \
  do {                                   \
    const bnq_status status = (call);    \
    if (status != BNQ_OK) return status; \
  } while (0)
  TRY(bnq_context_create(&allocator, &c->context));
  TRY(bnq_config_from_text("int4_per_group_32", &c->config));
  for (int i = 0; i < 2; ++i) {
    TRY(bnq_cache_create(folder.c_str(), &c->caches[i]));
    TRY(bnq_options_set_text(bnq_cache_settings(c->caches[i]), "compress",
                             "on"));
    TRY(bnq_cache_quantize(c->context, c->caches[i], c->config, &array, nullptr,
                           0, "a", &c->tensors[2 * i], nullptr));
    TRY(bnq_cache_get(c->context, c->caches[i], "a", &c->tensors[2 * i + 1]));
  }
  TRY(bnq_cache_list_create(c->context, c->caches[0], "a*", &c->list));
  TRY(bnq_cache_remove(c->context, c->caches[1], "a", nullptr));
  TRY(bnq_cache_clear(c->context, c->caches[0]));
#undef TRY
  return BNQ_OK;
}

TEST(Allocation, EachOfACacheFailsOnce) {
  // In memory, where there is such a folder: nothing is waited for.
  const std::string memory = "/dev/shm/";
  std::string folder =
      (std::filesystem::is_directory(memory) ? memory : testing::TempDir()) +
      "bnq_cache_XXXXXX";
  ASSERT_NE(mkdtemp(&folder[0]), nullptr);
  for (long fail = 0;; ++fail) {
    bnq_status status;
    {
      Cached cached;
      g_countdown = fail;
      g_armed = true;
      status = RunCached(folder, &cached);
      g_armed = false;
    }
    ASSERT_EQ(g_live.load(), 0) << "leaked at allocation " << fail;
    std::filesystem::remove_all(folder);
    if (g_countdown >= 0) {
      ASSERT_EQ(status, BNQ_OK) << bnq_last_error();
      EXPECT_GT(fail, 100);
      break;
    }
    ASSERT_EQ(status, BNQ_ERROR_OUT_OF_MEMORY)
        << "allocation " << fail << ": " << bnq_last_error();
  }
}

}  // namespace
