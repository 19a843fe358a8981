/* Finds the edges of pictures by a convolution whose weights are ternary: three
 * times three of -1, 0 and 1 for each of four directions (Prewitt), in integers
 * on the pixels where they lie in a mapped file. Prints the first pictures and
 * their edges, and the FNV-1a of all outputs: in every language the same.
 *
 *   edges IMAGES.safetensors
 *
 * IMAGES has "images", uint8 0..16, each of 8 x 8 pixels.
 */
#include <bnq/bnq.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSide = 8, kPixels = kSide * kSide, kDirections = 4, kShown = 3 };

static const float kFilters[kDirections * 9] = {
    1, 1,  1,  0, 0, 0,  -1, -1, -1, /* up */
    1, 1,  0,  1, 0, -1, 0,  -1, -1, /* up left */
    1, 0,  -1, 1, 0, -1, 1,  0,  -1, /* left */
    0, -1, -1, 1, 0, -1, 1,  1,  0,  /* down left */
};

static void check(bnq_status status, const char* what) {
  if (status == BNQ_OK) return;
  fprintf(stderr, "%s: %s\n", what, bnq_last_error());
  exit(1);
}

static void set(bnq_operator* op, const char* name, const char* value) {
  check(bnq_options_set_text(bnq_operator_settings(op), name, value), name);
}

/* Pixels of 1/16 each, with a frame of 0 around them. */
static bnq_convolution* make_filters(void) {
  static const uint64_t shape[4] = {kDirections, 1, 3, 3};
  const bnq_array array = {kFilters, shape, BNQ_DTYPE_F32, 4};
  bnq_config* config;
  bnq_tensor* weight;
  bnq_operator* op;
  bnq_convolution* filters;
  check(bnq_config_from_text("ternary,granularity=tensor,scale_rule=absmax",
                             &config),
        "config");
  check(bnq_tensor_quantize(NULL, config, &array, &weight), "filters");
  check(bnq_operator_create(&op), "operator");
  set(op, "input_scale", "0.0625");
  set(op, "pad_top", "1");
  set(op, "pad_left", "1");
  set(op, "pad_bottom", "1");
  set(op, "pad_right", "1");
  check(bnq_convolution_create(NULL, op, weight, NULL, &filters), "filters");
  bnq_operator_destroy(op);
  bnq_tensor_destroy(weight);
  bnq_config_destroy(config);
  return filters;
}

/* The strongest of all directions at a pixel, 0..3. */
static float strength(const float* y, int pixel) {
  float most = 0;
  int d;
  for (d = 0; d < kDirections; ++d) {
    const float v = y[d * kPixels + pixel];
    if (v > most) most = v;
    if (-v > most) most = -v;
  }
  return most;
}

static void show(const uint8_t* picture, const float* y) {
  static const char shades[] = " .:-=+*#%@";
  int row, column;
  for (row = 0; row < kSide; ++row) {
    for (column = 0; column < kSide; ++column) {
      putchar(shades[picture[row * kSide + column] * 9 / 16]);
    }
    printf("   ");
    for (column = 0; column < kSide; ++column) {
      putchar(shades[(int)(strength(y, row * kSide + column) * 3)]);
    }
    putchar('\n');
  }
}

int main(int argc, char** argv) {
  bnq_file* file;
  bnq_convolution* filters;
  bnq_matrix x = {0}, y = {0};
  uint64_t index, size, shape[BNQ_MAX_RANK], i, hash = 0xcbf29ce484222325u;
  const void* pictures;
  if (argc != 2) {
    fprintf(stderr, "usage: edges IMAGES.safetensors\n");
    return 2;
  }
  check(bnq_file_open(NULL, argv[1], 0, &file), argv[1]);
  check(bnq_file_find(file, "images", &index), "images");
  check(bnq_file_data(file, index, &pictures, &size), "images");
  bnq_file_shape(file, index, shape);
  x.data = (void*)pictures; /* only read */
  x.rows = y.rows = shape[0];
  x.columns = kPixels;
  x.dtype = BNQ_DTYPE_U8;
  y.columns = kDirections * kPixels;
  y.dtype = BNQ_DTYPE_F32;
  y.data = malloc((size_t)(4 * y.rows * y.columns + 1));
  if (y.data == NULL) return 1;
  filters = make_filters();
  check(bnq_convolution_run(filters, NULL, &x, kSide, kSide, &y, NULL, 0),
        "edges");
  for (i = 0; i < kShown && i < x.rows; ++i) {
    show((const uint8_t*)pictures + i * kPixels,
         (const float*)y.data + i * y.columns);
  }
  for (i = 0; i < 4 * y.rows * y.columns; ++i) {
    hash = (hash ^ ((const uint8_t*)y.data)[i]) * 0x100000001b3u;
  }
  printf("%d pictures: %08x%08x\n", (int)x.rows, (unsigned)(hash >> 32),
         (unsigned)hash);
  bnq_convolution_destroy(filters);
  free(y.data);
  bnq_file_close(file);
  return 0;
}
