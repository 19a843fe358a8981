/* Runs a network that is larger than the memory it may use, layer by layer: the
 * weights are read from a sharded model, quantized once into a cache, and
 * restored from it in the second pass, while the next layers are got ready.
 *
 *   layer_by_layer FOLDER
 *
 * FOLDER gets a model of random weights, and the cache. On Linux the process
 * forbids itself (RLIMIT_DATA) more than a third of the model's bytes beyond
 * what it has, which it also finds out to be true.
 */
#include <bnq/bnq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/resource.h>
#endif

enum { kLayers = 24, kWidth = 1024 };
static const uint64_t kLayerBytes = 4ull * kWidth * kWidth;

static void check(bnq_status status, const char* what) {
  if (status == BNQ_OK) return;
  fprintf(stderr, "%s: %s\n", what, bnq_last_error());
  exit(1);
}

/* A shard for each layer, and the index, as models are downloaded. */
static void write_model(const char* folder, float* weights) {
  static char index[kLayers * 128], path[4096];
  const uint64_t shape[2] = {kWidth, kWidth};
  const bnq_array array = {weights, shape, BNQ_DTYPE_F32, 2};
  uint32_t random = 1;
  size_t end = (size_t)snprintf(index, sizeof index, "{\"weight_map\": {");
  for (int i = 0; i < kLayers; ++i) {
    bnq_writer* writer;
    char name[64];
    for (int k = 0; k < kWidth * kWidth; ++k) {
      random = random * 1664525u + 1013904223u;
      weights[k] = ((float)(random >> 8) / 8388608.0f - 1.0f) * 0.054f;
    }
    snprintf(path, sizeof path, "%s/shard-%d.safetensors", folder, i);
    snprintf(name, sizeof name, "layers.%d.weight", i);
    check(bnq_writer_create(NULL, path, BNQ_FILE_SAFETENSORS,
                            BNQ_WRITE_OVERWRITE, 0, &writer),
          path);
    check(bnq_writer_add_array(writer, name, &array), name);
    check(bnq_writer_finish(writer), path);
    bnq_writer_destroy(writer);
    end += (size_t)snprintf(index + end, sizeof index - end,
                            "%s\"%s\": \"shard-%d.safetensors\"",
                            i == 0 ? "" : ", ", name, i);
  }
  snprintf(index + end, sizeof index - end, "}}");
  snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
  check(bnq_write_file(NULL, path, index, strlen(index), BNQ_WRITE_OVERWRITE),
        path);
}

#if defined(__linux__)
/* Private memory of the process, in bytes. */
static uint64_t data_bytes(void) {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  unsigned long long kib = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmData: %llu", &kib) == 1) break;
  }
  if (file != NULL) fclose(file);
  return kib * 1024;
}
#endif

static void limit_memory(uint64_t model_bytes) {
#if defined(__linux__)
  struct rlimit limit;
  void* model;
  limit.rlim_cur = limit.rlim_max = data_bytes() + model_bytes / 3;
  if (setrlimit(RLIMIT_DATA, &limit) != 0) {
    perror("setrlimit");
    exit(1);
  }
  model = malloc((size_t)model_bytes);
  if (model != NULL) {
    fprintf(stderr, "the limit has no effect\n");
    exit(1);
  }
  free(model);
#else
  (void)model_bytes;
#endif
}

/* x becomes relu(weight x). */
static void run_layer(const bnq_layer* layer, const bnq_operator* op, float* x,
                      float* y) {
  bnq_tensor* weight;
  bnq_linear* linear;
  bnq_matrix in = {0}, out;
  check(bnq_layer_tensor(layer, 0, &weight), "weight");
  check(bnq_linear_create(NULL, op, weight, NULL, &linear), "linear");
  in.data = x;
  in.rows = 1;
  in.columns = kWidth;
  in.dtype = BNQ_DTYPE_F32;
  out = in;
  out.data = y;
  check(bnq_linear_run(linear, NULL, &in, &out, NULL, 0), "run");
  memcpy(x, y, kWidth * sizeof *x);
  bnq_linear_destroy(linear);
  bnq_tensor_destroy(weight);
}

static double pass(bnq_layers* layers, const bnq_operator* op) {
  static float x[kWidth], y[kWidth];
  double sum = 0;
  for (int i = 0; i < kWidth; ++i) x[i] = (float)(i % 7) - 3;
  for (uint64_t i = 0; i < bnq_layers_count(layers); ++i) {
    bnq_layer* layer;
    check(bnq_layers_load(NULL, layers, i, NULL, NULL, &layer), "layer");
    run_layer(layer, op, x, y);
    bnq_layer_destroy(layer);
  }
  for (int i = 0; i < kWidth; ++i) sum += x[i];
  return sum;
}

int main(int argc, char** argv) {
  char cache_folder[4096];
  bnq_config* config;
  bnq_plan* plan;
  bnq_cache* cache;
  bnq_layers* layers;
  bnq_operator* op;
  double first, second, stats[BNQ_NUM_LAYERS_STATS];
  float* weights = malloc((size_t)kLayerBytes);
  if (argc != 2 || weights == NULL) {
    fprintf(stderr, "usage: layer_by_layer FOLDER\n");
    return 2;
  }
  write_model(argv[1], weights);
  free(weights);
  limit_memory(kLayers * kLayerBytes);

  check(bnq_config_from_text("int8_per_channel", &config), "config");
  check(bnq_plan_create(&plan), "plan");
  check(bnq_plan_add(plan, "*", BNQ_MIN_RANK_ALL, config), "plan");
  snprintf(cache_folder, sizeof cache_folder, "%s/cache", argv[1]);
  check(bnq_cache_create(cache_folder, &cache), cache_folder);
  check(bnq_options_set_text(bnq_cache_settings(cache), "memory_limit", "0"),
        "memory_limit");
  check(bnq_operator_create(&op), "operator");
  check(bnq_options_set_text(bnq_operator_settings(op), "input", "int8"), "op");
  check(bnq_options_set_text(bnq_operator_settings(op), "function", "relu"),
        "op");
  check(bnq_layers_open(NULL, argv[1], plan, cache, 2, &layers), argv[1]);
  first = pass(layers, op);
  second = pass(layers, op);
  check(bnq_layers_stats(layers, stats, BNQ_NUM_LAYERS_STATS), "stats");
  printf("%d layers of %.0f MiB: %.17g, again %.17g\n", kLayers,
         (double)kLayerBytes / 1048576, first, second);
  for (int i = 0; i < BNQ_NUM_LAYERS_STATS; ++i) {
    printf("%s %g\n", bnq_layers_stat_name((uint32_t)i), stats[i]);
  }
  bnq_layers_close(layers);
  bnq_operator_destroy(op);
  bnq_cache_destroy(cache);
  bnq_plan_destroy(plan);
  bnq_config_destroy(config);
  return first == second && first > 0 ? 0 : 1;
}
