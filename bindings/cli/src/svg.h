// Writes pictures as SVG 1.1, files of their own or parts of an HTML page: the
// same calls give the same bytes.
#ifndef BNQ_CLI_SVG_H_
#define BNQ_CLI_SVG_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bnq::cli {

// Text as XML can hold it: markup is escaped, control characters are shown as
// Printable shows them, and bytes that are no UTF-8 become U+FFFD.
std::string XmlText(std::string_view text);

// Coordinates are pixels from the top left corner. `style` is presentation
// attributes: fill="#fff" stroke="#000".
class Svg {
 public:
  enum Use { kFile, kInPage };
  // Programs that read pictures aloud say the title. A page's style says what
  // text looks like, and how wide the picture is.
  Svg(int width, int height, std::string_view title, Use use = kFile);

  void Rectangle(double x, double y, double width, double height,
                 std::string_view style);
  void Line(double x1, double y1, double x2, double y2, std::string_view style);
  void Text(double x, double y, std::string_view text, std::string_view style);
  void Circle(double x, double y, double radius, std::string_view style,
              std::string_view title = {});
  // From point to point.
  void Path(const std::vector<std::pair<double, double>>& points,
            std::string_view style);
  // One shape of many rectangles, which is smaller than as many elements.
  void BeginShape();
  void ShapeRectangle(double x, double y, double width, double height);
  void EndShape(std::string_view style);

  // The document; nothing can be added after it.
  std::string Finish();

 private:
  std::string out_, shape_;
};

}  // namespace bnq::cli

#endif  // BNQ_CLI_SVG_H_
