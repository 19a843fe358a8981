// What ggml loses on the data sets of the study, for the same bits.
#ifndef BNQ_BENCH_FIDELITY_GGML_H_
#define BNQ_BENCH_FIDELITY_GGML_H_

namespace bnq_bench {

// Relative squared errors of ggml_quantize_chunk without an importance matrix,
// as LLamaSharp.Backend.Cpu 0.30.0 has it (AVX-512), in rows of 1024: of the
// very weights that the study generates, and of the demo model's two hidden
// matrices laid end to end, since ggml's K formats take no rows of 64. Measured
// once, on 2026-11-30; `preset` is ours in as few bits or fewer.
struct Peer {
  const char* name;
  double bits;
  double errors[3];  // Gaussian, Laplace, demo model
  const char* preset;
};

constexpr Peer kPeers[] = {
    {"Q8_0",
     8.5,
     {2.85805e-5, 4.52591e-5, 2.69379e-5},
     "int8_mse_per_group_32"},
    {"Q6_K",
     6.5625,
     {3.14102e-4, 4.68830e-4, 2.92297e-4},
     "int6_mse_per_group_16"},
    {"Q5_K",
     5.5,
     {1.30329e-3, 1.82740e-3, 1.27480e-3},
     "int5_mse_per_group_36"},
    {"Q4_K",
     4.5,
     {5.08610e-3, 7.14226e-3, 4.94676e-3},
     "codebook4_per_group_20"},
    {"IQ4_XS",
     4.25,
     {5.88151e-3, 7.83704e-3, 5.67928e-3},
     "codebook4_per_group_38"},
    {"Q3_K",
     3.4375,
     {2.27308e-2, 3.09793e-2, 2.07967e-2},
     "codebook3_per_group_20"},
    {"Q2_K",
     2.625,
     {8.78693e-2, 1.18337e-1, 8.28027e-2},
     "codebook2_per_group_16"},
    {"TQ1_0", 1.6875, {6.50866e-1, 6.91324e-1, 6.97132e-1}, "aggressive"},
};

// Others of ggml's, for the picture: on Gaussian weights.
struct PeerPoint {
  const char* name;
  double bits, error;
};
constexpr PeerPoint kOtherPeers[] = {
    {"Q5_1", 6.0, 1.42989e-3},     {"Q5_0", 5.5, 1.81858e-3},
    {"Q4_1", 5.0, 6.11074e-3},     {"Q4_0", 4.5, 7.36920e-3},
    {"NVFP4", 4.5, 9.05565e-3},    {"MXFP4", 4.25, 1.32083e-2},
    {"TQ2_0", 2.0625, 6.50866e-1},
};

}  // namespace bnq_bench

#endif  // BNQ_BENCH_FIDELITY_GGML_H_
