/* A program of somebody else's: built against an installed libbnq in every way
 * a project may find one (see packaging/check_install.sh). It proves that the
 * header, the flags and the loaded library fit together. */
#include <bnq/bnq.h>
#include <bnq/bnq_x.h>
#include <stdio.h>

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, bnq_last_error());
  return 1;
}

int main(void) {
  /* The mean of the magnitudes, and so the scale, is 1. */
  const float values[4] = {1.0f, -1.0f, 0.0f, 2.0f};
  const uint64_t shape[1] = {4};
  const bnq_array array = {values, shape, BNQ_DTYPE_F32, 1};
  float back[4];
  bnq_config* config;
  bnq_tensor* tensor;

  if (bnq_version() != BNQ_VERSION || bnq_abi_version() != BNQ_ABI_VERSION) {
    fprintf(stderr, "header %d, library %s\n", BNQ_VERSION,
            bnq_version_string());
    return 1;
  }
  if (bnq_config_create(&config) != BNQ_OK) return fail("config");
  if (bnq_tensor_quantize(NULL, config, &array, &tensor) != BNQ_OK)
    return fail("quantize");
  if (bnq_tensor_dequantize(NULL, tensor, BNQ_DTYPE_F32, BNQ_OVERFLOW_ERROR,
                            back, sizeof back) != BNQ_OK)
    return fail("dequantize");
  bnq_tensor_destroy(tensor);
  bnq_config_destroy(config);
  if (back[0] != 1.0f || back[1] != -1.0f || back[2] != 0.0f ||
      back[3] != 1.0f) {
    fprintf(stderr, "got %g %g %g %g\n", back[0], back[1], back[2], back[3]);
    return 1;
  }
  printf("libbnq %s, %s\n", bnq_version_string(), bnq_target_active());
  return 0;
}
