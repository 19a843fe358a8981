/* Runs a network on quantized weights, read where they lie in mapped files, in
 * integers; and says how many images it classifies correctly, how fast, and
 * what its outputs are: in every language the same bytes, whose FNV-1a this
 * prints.
 *
 *   classify IMAGES.safetensors MODEL.bnq...
 *
 * IMAGES has "images", uint8 0..16, and their "labels"; MODEL
 * "layers.0.weight", "layers.0.bias", "layers.1.weight", .. with ReLU between.
 */
#include <bnq/bnq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kMaxLayers = 16, kRuns = 50 };

static void check(bnq_status status, const char* what) {
  if (status == BNQ_OK) return;
  fprintf(stderr, "%s: %s\n", what, bnq_last_error());
  exit(1);
}

static double microseconds(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static const uint8_t* bytes_of(const bnq_file* file, const char* name,
                               uint64_t* shape) {
  uint64_t index, size;
  const void* data;
  check(bnq_file_find(file, name, &index), name);
  check(bnq_file_data(file, index, &data, &size), name);
  bnq_file_shape(file, index, shape);
  return data;
}

/* Layer i of the file; 0 where there is none. It keeps the file mapped. */
static int make_layer(const bnq_file* file, int i, int is_last,
                      bnq_linear** out_layer) {
  char name[64];
  uint64_t index, shape[BNQ_MAX_RANK], size;
  bnq_tensor* weight;
  bnq_operator* op;
  bnq_array bias;
  snprintf(name, sizeof name, "layers.%d.weight", i);
  if (bnq_file_find(file, name, &index) != BNQ_OK) return 0;
  check(bnq_file_tensor(NULL, file, index, &weight), name);
  snprintf(name, sizeof name, "layers.%d.bias", i);
  check(bnq_file_find(file, name, &index), name);
  check(bnq_file_data(file, index, &bias.data, &size), name);
  bias.rank = bnq_file_shape(file, index, shape);
  bias.shape = shape;
  bias.dtype = bnq_file_dtype(file, index);
  check(bnq_operator_create(&op), "operator");
  check(bnq_options_set_text(bnq_operator_settings(op), "input", "int8"),
        "input");
  if (!is_last) {
    check(bnq_options_set_text(bnq_operator_settings(op), "function", "relu"),
          "function");
  }
  check(bnq_linear_create(NULL, op, weight, &bias, out_layer), name);
  bnq_operator_destroy(op);
  bnq_tensor_destroy(weight);
  return 1;
}

static bnq_matrix matrix_of(float* data, uint64_t rows, uint64_t columns) {
  bnq_matrix matrix = {0};
  matrix.data = data;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.dtype = BNQ_DTYPE_F32;
  return matrix;
}

static void* allocate(size_t bytes) {
  void* memory = malloc(bytes ? bytes : 1);
  if (memory == NULL) exit(1);
  return memory;
}

static void classify(const char* path, float* images, const uint8_t* labels,
                     uint64_t rows) {
  bnq_file* file;
  bnq_linear* layers[kMaxLayers];
  float* outputs[kMaxLayers];
  int count = 0, i, run;
  uint64_t classes, n, right = 0, hash = 0xcbf29ce484222325u;
  double best = 1e30;
  char next[64];
  const char* name = strrchr(path, '/');
  check(bnq_file_open(NULL, path, 0, &file), path);
  for (;;) {
    uint64_t index;
    snprintf(next, sizeof next, "layers.%d.weight", count + 1);
    if (count == kMaxLayers ||
        !make_layer(file, count, bnq_file_find(file, next, &index) != BNQ_OK,
                    &layers[count])) {
      break;
    }
    outputs[count] =
        allocate(4 * (size_t)(rows * bnq_linear_outputs(layers[count])));
    ++count;
  }
  bnq_file_close(file);
  if (count == 0) exit(1);
  for (run = 0; run < kRuns; ++run) {
    const double start = microseconds();
    bnq_matrix x = matrix_of(images, rows, bnq_linear_inputs(layers[0]));
    for (i = 0; i < count; ++i) {
      const bnq_matrix y =
          matrix_of(outputs[i], rows, bnq_linear_outputs(layers[i]));
      check(bnq_linear_run(layers[i], NULL, &x, &y, NULL, 0), path);
      x = y;
    }
    if (microseconds() - start < best) best = microseconds() - start;
  }
  classes = bnq_linear_outputs(layers[count - 1]);
  for (n = 0; n < rows; ++n) {
    const float* const y = outputs[count - 1] + n * classes;
    uint64_t c, most = 0;
    for (c = 1; c < classes; ++c) {
      if (y[c] > y[most]) most = c;
    }
    right += most == labels[n];
  }
  for (n = 0; n < 4 * rows * classes; ++n) {
    hash = (hash ^ ((const uint8_t*)outputs[count - 1])[n]) * 0x100000001b3u;
  }
  printf("%-28s%6.2f %%%8.0f us   %08x%08x\n", name ? name + 1 : path,
         100.0 * (double)right / (double)rows, best, (unsigned)(hash >> 32),
         (unsigned)hash);
  for (i = 0; i < count; ++i) {
    bnq_linear_destroy(layers[i]);
    free(outputs[i]);
  }
}

int main(int argc, char** argv) {
  bnq_file* file;
  uint64_t shape[BNQ_MAX_RANK], labels_shape[BNQ_MAX_RANK], i;
  const uint8_t *bytes, *labels;
  float* images;
  int model;
  if (argc < 3) {
    fprintf(stderr, "usage: classify IMAGES.safetensors MODEL.bnq...\n");
    return 2;
  }
  check(bnq_file_open(NULL, argv[1], 0, &file), argv[1]);
  bytes = bytes_of(file, "images", shape);
  labels = bytes_of(file, "labels", labels_shape);
  images = allocate(4 * (size_t)(shape[0] * shape[1]));
  for (i = 0; i < shape[0] * shape[1]; ++i) images[i] = (float)bytes[i] / 16;
  for (model = 2; model < argc; ++model) {
    classify(argv[model], images, labels, shape[0]);
  }
  free(images);
  bnq_file_close(file);
  return 0;
}
