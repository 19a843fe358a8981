#include "svg.h"

#include <cstdint>
#include <utility>

#include "text.h"

namespace bnq::cli {
namespace {

// To a hundredth of a pixel, without zeros that say nothing.
std::string Coordinate(double value) {
  std::string text = FixedText(value, 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string Attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + Coordinate(value) + '"';
}

// The length of the UTF-8 sequence of a character XML allows at `text`, or 0.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  uint32_t code = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool other = code == 0xfffe || code == 0xffff || code > 0x10ffff;
  return code < kLeast[length] || surrogate || other ? 0 : length;
}

}  // namespace

std::string XmlText(std::string_view raw) {
  const std::string text = Printable(raw);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(std::string_view(text).substr(i));
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++i;
      continue;
    }
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.append(text, i, length);
    }
    i += length;
  }
  return out;
}

Svg::Svg(int width, int height, std::string_view title, Use use) {
  const std::string w = std::to_string(width), h = std::to_string(height);
  const std::string box = "viewBox=\"0 0 " + w + ' ' + h + '"';
  if (use == kInPage) {
    out_ = "<svg " + box + " role=\"img\">";
  } else {
    out_ =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
        w + "\" height=\"" + h + "\" " + box +
        " font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" "
        "role=\"img\">\n";
  }
  out_ += "<title>" + XmlText(title) + "</title>\n";
}

void Svg::Rectangle(double x, double y, double width, double height,
                    std::string_view style) {
  out_ += "<rect" + Attribute("x", x) + Attribute("y", y) +
          Attribute("width", width) + Attribute("height", height) + ' ';
  out_ += style;
  out_ += "/>\n";
}

void Svg::Line(double x1, double y1, double x2, double y2,
               std::string_view style) {
  out_ += "<line" + Attribute("x1", x1) + Attribute("y1", y1) +
          Attribute("x2", x2) + Attribute("y2", y2) + ' ';
  out_ += style;
  out_ += "/>\n";
}

void Svg::Text(double x, double y, std::string_view text,
               std::string_view style) {
  out_ += "<text" + Attribute("x", x) + Attribute("y", y) + ' ';
  out_ += style;
  out_ += '>' + XmlText(text) + "</text>\n";
}

void Svg::Circle(double x, double y, double radius, std::string_view style,
                 std::string_view title) {
  out_ += "<circle" + Attribute("cx", x) + Attribute("cy", y) +
          Attribute("r", radius) + ' ';
  out_ += style;
  out_ += title.empty() ? "/>\n"
                        : "><title>" + XmlText(title) + "</title></circle>\n";
}

void Svg::Path(const std::vector<std::pair<double, double>>& points,
               std::string_view style) {
  out_ += "<path d=\"";
  for (std::size_t i = 0; i < points.size(); ++i) {
    out_ += (i == 0 ? 'M' : 'L') + Coordinate(points[i].first) + ' ' +
            Coordinate(points[i].second);
  }
  out_ += "\" ";
  out_ += style;
  out_ += "/>\n";
}

void Svg::BeginShape() { shape_.clear(); }

void Svg::ShapeRectangle(double x, double y, double width, double height) {
  shape_ += 'M' + Coordinate(x) + ' ' + Coordinate(y) + 'h' +
            Coordinate(width) + 'v' + Coordinate(height) + 'h' +
            Coordinate(-width) + 'z';
}

void Svg::EndShape(std::string_view style) {
  if (shape_.empty()) return;
  out_ += "<path d=\"" + shape_ + "\" ";
  out_ += style;
  out_ += "/>\n";
}

std::string Svg::Finish() { return std::move(out_) + "</svg>\n"; }

}  // namespace bnq::cli
