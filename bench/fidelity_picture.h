// The curve of error over bits, as an SVG.
#ifndef BNQ_BENCH_FIDELITY_PICTURE_H_
#define BNQ_BENCH_FIDELITY_PICTURE_H_

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/fidelity_ggml.h"
#include "bench/study.h"

namespace bnq_bench {

class Picture {
 public:
  explicit Picture(std::FILE* file) : file_(file) {
    std::fprintf(
        file_,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n"
        "<title>Relative squared error over bits per weight, Gaussian "
        "weights</title>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        kWidth, kHeight);
    for (int bits = 1; bits <= 9; ++bits) {
      Line(X(bits), Y(1), X(bits), Y(kLeast), "#ddd");
      Text(X(bits), Y(kLeast) + 18, "middle", std::to_string(bits), "#333");
    }
    for (int exponent = 0; exponent >= -5; --exponent) {
      const double y = Y(std::pow(10.0, exponent));
      Line(X(1), y, X(9), y, "#ddd");
      Text(X(1) - 8, y + 4, "end",
           exponent == 0 ? "1" : "1e" + std::to_string(exponent), "#333");
    }
    Text(X(5), kHeight - 8, "middle", "bits per weight, all counted", "#333");
    Text(14, 20, "start", "relative squared error", "#333");
  }
  ~Picture() { std::fprintf(file_, "</svg>\n"); }
  Picture(const Picture&) = delete;

  void Curve(const std::vector<Cell>& cells, const char* color) {
    std::fprintf(file_,
                 "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" "
                 "points=\"",
                 color);
    for (const Cell& cell : cells) {
      std::fprintf(file_, "%.1f,%.1f ", X(cell.bits), Y(cell.error));
    }
    std::fprintf(file_, "\"/>\n");
  }
  void Dot(Cell cell, const char* color) {
    std::fprintf(file_,
                 "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n",
                 X(cell.bits), Y(cell.error), color);
  }
  // A diamond with its name above, to the right.
  void Peer(const char* name, Cell cell, const char* color) {
    const double x = X(cell.bits), y = Y(cell.error);
    std::fprintf(file_, "<path d=\"M%.1f %.1fl5 5-5 5-5-5z\" fill=\"%s\"/>\n",
                 x, y - 5, color);
    Text(x + 7, y - 5, "start", name, color);
  }
  void Legend(int row, const char* text, const char* color) {
    const double x = X(5.6), y = 40.0 + 18.0 * row;
    std::fprintf(file_,
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" "
                 "fill=\"%s\"/>\n",
                 x, y - 9, color);
    Text(x + 16, y, "start", text, "#333");
  }

 private:
  static constexpr int kWidth = 720, kHeight = 480;
  static constexpr double kLeast = 1e-5;
  static double X(double bits) { return 60 + (bits - 1) / 8 * 640; }
  static double Y(double error) {
    return 30 + std::log10(error) / std::log10(kLeast) * 400;
  }
  void Line(double x0, double y0, double x1, double y1, const char* color) {
    std::fprintf(file_,
                 "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                 "stroke=\"%s\"/>\n",
                 x0, y0, x1, y1, color);
  }
  void Text(double x, double y, const char* anchor, const std::string& text,
            const char* color) {
    std::fprintf(file_,
                 "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" "
                 "fill=\"%s\">%s</text>\n",
                 x, y, anchor, color, text.c_str());
  }

  std::FILE* const file_;
};

}  // namespace bnq_bench

#endif  // BNQ_BENCH_FIDELITY_PICTURE_H_
