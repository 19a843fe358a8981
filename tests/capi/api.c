/* A user's program, in C99: the whole API once, through the installed header
 * and library alone. Exits 1 at the first surprise. */
#include <bnq/bnq.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    ++checks;                                                         \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s failed; last error: %s\n", __FILE__, \
              __LINE__, #condition, bnq_last_error());                \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static int32_t count_progress(void* opaque, uint64_t done, uint64_t total,
                              const char* item) {
  CHECK(done <= total);
  CHECK(item != NULL);
  ++*(int*)opaque;
  return 0;
}

static int32_t cancel(void* opaque, uint64_t done, uint64_t total,
                      const char* item) {
  (void)opaque, (void)done, (void)total, (void)item;
  return 1;
}

/* A runner that works backwards on the calling thread. */
static int32_t run_backwards(void* opaque, uint64_t count, bnq_task_fn task,
                             void* task_opaque) {
  *(uint64_t*)opaque += count;
  while (count-- > 0) task(task_opaque, count, 0);
  return 0;
}

static void test_registry(void) {
  uint32_t i;
  int32_t id, type;
  int64_t value;
  double min, max, initial;
  CHECK(bnq_version() == BNQ_VERSION);
  CHECK(bnq_abi_version() == BNQ_ABI_VERSION);
  CHECK(strlen(bnq_version_string()) >= 5);
  CHECK(bnq_format_count() >= 2);
  for (i = 0; i < bnq_format_count(); ++i) {
    int32_t same;
    CHECK(bnq_format_at(i, &id) == BNQ_OK);
    CHECK(bnq_format_id(bnq_format_name(id), &same) == BNQ_OK && same == id);
    CHECK(bnq_format_description(id) != NULL);
    CHECK(bnq_format_property(id, BNQ_FORMAT_CODE_BITS, &value) == BNQ_OK);
    CHECK(value >= 1 && value <= 32);
  }
  CHECK(bnq_format_id("ternary", &id) == BNQ_OK && id == BNQ_FORMAT_TERNARY);
  CHECK(bnq_format_id("int8", &id) == BNQ_OK && id == BNQ_FORMAT_INT8);
  for (i = 0; i < bnq_option_count(BNQ_OPTIONS_CONFIG); ++i) {
    int32_t same;
    CHECK(bnq_option_at(BNQ_OPTIONS_CONFIG, i, &id) == BNQ_OK);
    CHECK(bnq_option_id(BNQ_OPTIONS_CONFIG,
                        bnq_option_name(BNQ_OPTIONS_CONFIG, id),
                        &same) == BNQ_OK &&
          same == id);
    CHECK(bnq_option_bounds(BNQ_OPTIONS_CONFIG, id, &type, &min, &max,
                            &initial) == BNQ_OK);
    CHECK(min <= initial && initial <= max);
  }
  CHECK(bnq_metric_count() >= BNQ_NUM_METRICS);
  CHECK(strcmp(bnq_metric_name(BNQ_METRIC_SQNR_DB), "sqnr_db") == 0);
  CHECK(bnq_target_count() >= 1);
  CHECK(bnq_target_active() != NULL);
  CHECK(bnq_dtype_id("bf16", &id) == BNQ_OK && id == BNQ_DTYPE_BF16);
  CHECK(strcmp(bnq_dtype_name(id), "BF16") == 0 && bnq_dtype_bits(id) == 16);
}

static void test_everything(const char* directory) {
  static float weights[700][100];
  static float restored[700][100];
  const uint64_t shape[2] = {700, 100};
  const bnq_array source = {weights, shape, BNQ_DTYPE_F32, 2};
  char input[512], output[512], back[512];
  bnq_context* context;
  bnq_config* config;
  bnq_part part;
  bnq_tensor* tensor;
  bnq_writer* writer;
  bnq_file* file;
  bnq_plan* plan;
  bnq_report* report;
  bnq_runner runner;
  uint64_t tasks = 0, index, bytes, got[BNQ_MAX_RANK], i, j;
  double metrics[BNQ_NUM_METRICS];
  const void* data;
  int calls = 0;

  for (i = 0; i < 700; ++i) {
    for (j = 0; j < 100; ++j) {
      weights[i][j] = (float)sin((double)(i * 100 + j)) / (float)(i % 7 + 1);
    }
  }
  CHECK(bnq_context_create(NULL, &context) == BNQ_OK);
  CHECK(bnq_context_threads(context) == 1);
  CHECK(bnq_context_set_threads(context, 2) == BNQ_OK);
  CHECK(bnq_context_threads(context) == 2);
  runner.run = run_backwards;
  runner.opaque = &tasks;
  runner.workers = 4;
  CHECK(bnq_context_set_runner(context, &runner) == BNQ_OK);
  CHECK(bnq_context_threads(context) == 4);

  CHECK(bnq_config_create(&config) == BNQ_OK);
  CHECK(bnq_options_set_int(bnq_config_settings(config), BNQ_OPT_FORMAT,
                            BNQ_FORMAT_INT8) == BNQ_OK);
  CHECK(bnq_options_set_int(bnq_config_settings(config), BNQ_OPT_GROUP_SIZE,
                            32) == BNQ_OK);
  CHECK(bnq_options_set_text(bnq_config_settings(config), "scheme",
                             "asymmetric") == BNQ_OK);
  CHECK(bnq_tensor_quantize(context, config, &source, &tensor) == BNQ_OK);
  CHECK(bnq_tensor_format(tensor) == BNQ_FORMAT_INT8);
  CHECK(bnq_tensor_shape(tensor, got) == 2 && got[0] == 700 && got[1] == 100);
  CHECK(bnq_tensor_part(tensor, BNQ_PART_ZERO_POINTS, &part) == BNQ_OK);
  CHECK(part.data != NULL && part.count == 2800 && part.dtype == BNQ_DTYPE_I8);
  CHECK(strcmp(bnq_part_name(BNQ_PART_ZERO_POINTS), "zero_points") == 0);
  CHECK(fabs(bnq_tensor_bits_per_weight(tensor) - (8 + 2800 * 40 / 70000.0)) <
        1e-12);
  CHECK(bnq_tensor_dequantize(context, tensor, BNQ_DTYPE_F32,
                              BNQ_OVERFLOW_ERROR, restored,
                              sizeof restored) == BNQ_OK);
  CHECK(bnq_tensor_compare(context, &source, tensor, metrics,
                           BNQ_NUM_METRICS) == BNQ_OK);
  CHECK(metrics[BNQ_METRIC_SQNR_DB] > 40 && metrics[BNQ_METRIC_COSINE] > 0.99);

  snprintf(input, sizeof input, "%s/in.safetensors", directory);
  snprintf(output, sizeof output, "%s/out.bnq", directory);
  snprintf(back, sizeof back, "%s/back.safetensors", directory);
  CHECK(bnq_writer_create(context, input, BNQ_FILE_SAFETENSORS, 0, 0,
                          &writer) == BNQ_OK);
  CHECK(bnq_writer_set_metadata(writer, "made by", "api.c") == BNQ_OK);
  CHECK(bnq_writer_add_array(writer, "layer.weight", &source) == BNQ_OK);
  {
    const uint64_t n = 100;
    const bnq_array bias = {weights, &n, BNQ_DTYPE_F32, 1};
    CHECK(bnq_writer_add_array(writer, "layer.bias", &bias) == BNQ_OK);
  }
  CHECK(bnq_writer_finish(writer) == BNQ_OK);
  bnq_writer_destroy(writer);

  CHECK(bnq_plan_create(&plan) == BNQ_OK);
  CHECK(bnq_plan_add(plan, "*", 2, config) == BNQ_OK);
  CHECK(bnq_quantize_file(context, plan, input, output, BNQ_WRITE_COMPRESS, 0,
                          count_progress, &calls, &report) == BNQ_OK);
  CHECK(calls > 0 && bnq_report_count(report) == 2);
  CHECK(strcmp(bnq_report_name(report, 1), "layer.weight") == 0);
  CHECK(bnq_report_format(report, 1) == BNQ_FORMAT_INT8);
  CHECK(bnq_report_format(report, 0) == BNQ_FORMAT_NONE);
  CHECK(bnq_report_dtype(report, 0) == BNQ_DTYPE_F32);
  CHECK(bnq_report_metrics(report, 1, metrics, BNQ_NUM_METRICS) == BNQ_OK);
  CHECK(metrics[BNQ_METRIC_SQNR_DB] > 40);
  bnq_report_destroy(report);
  CHECK(bnq_quantize_file(context, plan, input, output, 0, 0, NULL, NULL,
                          NULL) == BNQ_ERROR_EXISTS);
  CHECK(bnq_quantize_file(context, plan, input, output, BNQ_WRITE_OVERWRITE, 0,
                          cancel, NULL, NULL) == BNQ_ERROR_CANCELLED);
  CHECK(bnq_quantize_file(context, plan, input, output, BNQ_WRITE_OVERWRITE, 0,
                          NULL, NULL, NULL) == BNQ_OK);

  CHECK(bnq_file_open(context, output, 0, &file) == BNQ_OK);
  CHECK(bnq_file_kind(file) == BNQ_FILE_BNQ && bnq_file_count(file) == 2);
  CHECK(bnq_file_verify(context, file, NULL, NULL) == BNQ_OK);
  CHECK(strcmp(bnq_file_metadata_value(file, 0), "api.c") == 0);
  CHECK(bnq_file_find(file, "layer.bias", &index) == BNQ_OK);
  CHECK(bnq_file_data(file, index, &data, &bytes) == BNQ_OK);
  CHECK(bytes == 400 && memcmp(data, weights, bytes) == 0);
  CHECK(bnq_file_find(file, "layer.weight", &index) == BNQ_OK);
  {
    bnq_tensor* read;
    CHECK(bnq_file_tensor(context, file, index, &read) == BNQ_OK);
    bnq_file_close(file); /* the tensor keeps the file mapped */
    CHECK(bnq_tensor_bytes(read) == bnq_tensor_bytes(tensor));
    {
      bnq_part again;
      CHECK(bnq_tensor_part(tensor, BNQ_PART_CODES, &part) == BNQ_OK);
      CHECK(bnq_tensor_part(read, BNQ_PART_CODES, &again) == BNQ_OK);
      CHECK(memcmp(part.data, again.data, 70000) == 0);
    }
    bnq_tensor_destroy(read);
  }
  CHECK(bnq_dequantize_file(context, output, back, BNQ_DTYPE_F32,
                            BNQ_OVERFLOW_ERROR, 0, 0, NULL, NULL,
                            NULL) == BNQ_OK);
  CHECK(bnq_compare_files(context, input, back, NULL, NULL, &report) == BNQ_OK);
  CHECK(bnq_report_count(report) == 2);
  CHECK(strcmp(bnq_report_note(report, 1), "") == 0);
  CHECK(bnq_report_metrics(report, 0, metrics, BNQ_NUM_METRICS) == BNQ_OK);
  CHECK(metrics[BNQ_METRIC_MSE] == 0 && isinf(metrics[BNQ_METRIC_SQNR_DB]));
  bnq_report_destroy(report);
  CHECK(tasks > 0);

  bnq_plan_destroy(plan);
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
  bnq_context_destroy(context);
  CHECK(remove(input) == 0 && remove(output) == 0 && remove(back) == 0);
}

int main(void) {
  const char* temporary = getenv("TMPDIR");
  char directory[400];
  snprintf(directory, sizeof directory, "%s/bnq-api-XXXXXX",
           temporary != NULL ? temporary : "/tmp");
  test_registry();
#if defined(_WIN32)
  test_everything(".");
#else
  {
    extern char* mkdtemp(char*);
    extern int rmdir(const char*);
    CHECK(mkdtemp(directory) != NULL);
    test_everything(directory);
    CHECK(rmdir(directory) == 0);
  }
#endif
  printf("%d checks passed\n", checks);
  return 0;
}
