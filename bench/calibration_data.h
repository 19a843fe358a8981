// What calibration_study.cc looks at: distributions, and the demo network.
#ifndef BNQ_BENCH_CALIBRATION_DATA_H_
#define BNQ_BENCH_CALIBRATION_DATA_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "bench/study.h"
#include "bnq/bnq.h"

namespace bnq_bench {

// ---------------------------------------------------------------------------
// Data

constexpr size_t kCount = 1024 * kColumns;

// Student's t of 4 degrees of freedom: a Gaussian over the root of a quarter of
// a chi-squared of 4, which is -2 log(u v).
inline std::vector<float> StudentT(size_t count) {
  std::vector<float> x = Gaussian(count);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t counter = (uint64_t{1} << 49) + 2 * i;
    const double u = Unit(Bits(counter)), v = Unit(Bits(counter + 1));
    x[i] = static_cast<float>(x[i] / std::sqrt(-0.5 * (Log(u) + Log(v))));
  }
  return x;
}

// Gaussian, but for one value in 10000, which is 20 further from 0, or, where
// they are `equal`, +-20.
inline std::vector<float> WithOutliers(size_t count, bool equal) {
  std::vector<float> x = Gaussian(count);
  for (size_t i = 0; i < count; ++i) {
    if (Bits((uint64_t{1} << 50) + i) % 10000 != 0) continue;
    x[i] = (equal ? 0 : x[i]) + (x[i] < 0 ? -20 : 20);
  }
  return x;
}

inline std::vector<float> Relu(std::vector<float> x) {
  for (float& v : x) v = std::max(v, 0.0f);
  return x;
}

inline Matrix Owned(std::vector<float> values, uint64_t columns) {
  Matrix m;
  m.own = std::move(values);
  m.shape = {m.own.size() / columns, columns};
  m.data = m.own.data();
  m.dtype = BNQ_DTYPE_F32;
  return m;
}

// The rows first .. first + count - 1 as an array of their own.
inline Matrix Rows(const Matrix& m, uint64_t first, uint64_t count) {
  uint64_t row = bnq_dtype_bits(m.dtype) / 8;
  for (size_t d = 1; d < m.shape.size(); ++d) row *= m.shape[d];
  Matrix part;
  part.shape = m.shape;
  part.shape[0] = count;
  part.data = static_cast<const char*>(m.data) + first * row;
  part.dtype = m.dtype;
  return part;
}

// ---------------------------------------------------------------------------
// The demo model

inline uint64_t Find(const bnq_file* file, const std::string& name) {
  uint64_t index = 0;
  Check(bnq_file_find(file, name.c_str(), &index));
  return index;
}

template <class T>
const T* DataOf(const bnq_file* file, uint64_t index, int32_t dtype) {
  if (bnq_file_dtype(file, index) != dtype) {
    std::fprintf(stderr, "%s is not of type %s\n", bnq_file_name(file, index),
                 bnq_dtype_name(dtype));
    std::exit(1);
  }
  const void* data = nullptr;
  uint64_t bytes = 0;
  Check(bnq_file_data(file, index, &data, &bytes));
  return static_cast<const T*>(data);
}

// A perceptron of layers.<i>.weight and layers.<i>.bias with ReLU between.
class Network {
 public:
  Network(const bnq_file* model, const bnq_file* images) {
    for (int i = 0;; ++i) {
      const std::string name = "layers." + std::to_string(i);
      uint64_t index = 0, shape[BNQ_MAX_RANK];
      if (bnq_file_find(model, (name + ".weight").c_str(), &index) != BNQ_OK) {
        break;
      }
      bnq_file_shape(model, index, shape);
      layers_.push_back(
          {DataOf<float>(model, index, BNQ_DTYPE_F32),
           DataOf<float>(model, Find(model, name + ".bias"), BNQ_DTYPE_F32),
           shape[0], shape[1]});
    }
    uint64_t shape[BNQ_MAX_RANK];
    const uint64_t index = Find(images, "images");
    bnq_file_shape(images, index, shape);
    const uint8_t* pixels = DataOf<uint8_t>(images, index, BNQ_DTYPE_U8);
    std::vector<float> input(shape[0] * shape[1]);
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<float>(pixels[i]) / 16;
    }
    input_ = Owned(std::move(input), shape[1]);
    labels_ = DataOf<uint8_t>(images, Find(images, "labels"), BNQ_DTYPE_U8);
  }

  uint64_t Layers() const { return layers_.size(); }
  const Matrix& Input() const { return input_; }
  uint64_t Images() const { return input_.shape[0]; }

  // A layer's output, after ReLU unless it is the last.
  Matrix Forward(size_t layer, const Matrix& input) const {
    const Layer& l = layers_[layer];
    const uint64_t rows = input.shape[0];
    const float* x = static_cast<const float*>(input.data);
    std::vector<float> out(rows * l.outputs);
    for (uint64_t r = 0; r < rows; ++r) {
      for (uint64_t o = 0; o < l.outputs; ++o) {
        double sum = l.bias[o];
        for (uint64_t i = 0; i < l.inputs; ++i) {
          sum += static_cast<double>(x[r * l.inputs + i]) *
                 l.weight[o * l.inputs + i];
        }
        out[r * l.outputs + o] = static_cast<float>(
            layer + 1 < layers_.size() ? std::max(sum, 0.0) : sum);
      }
    }
    return Owned(std::move(out), l.outputs);
  }

  // Of outputs for the images from `first` on, those that are right.
  int Right(const Matrix& output, uint64_t first) const {
    const float* x = static_cast<const float*>(output.data);
    const uint64_t columns = output.shape[1];
    int right = 0;
    for (uint64_t r = 0; r < output.shape[0]; ++r) {
      const float* row = x + r * columns;
      right += std::max_element(row, row + columns) - row == labels_[first + r];
    }
    return right;
  }

 private:
  struct Layer {
    const float* weight;  // [outputs, inputs]
    const float* bias;
    uint64_t outputs, inputs;
  };
  std::vector<Layer> layers_;
  Matrix input_;
  const uint8_t* labels_ = nullptr;
};

// The inputs of the layers, and the outputs of the last.
inline DataSet LayerValues(const Network& network) {
  DataSet set;
  set.name = "demo activations";
  set.matrices.push_back(Rows(network.Input(), 0, network.Images()));
  for (size_t i = 0; i < network.Layers(); ++i) {
    set.matrices.push_back(network.Forward(i, set.matrices.back()));
  }
  return set;
}

}  // namespace bnq_bench

#endif  // BNQ_BENCH_CALIBRATION_DATA_H_
