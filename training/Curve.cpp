//===- Curve.cpp - Losses as SVG ------------------------------------------===//

#include "training/Curve.h"

#include "runtime/base/Status.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tenon::training {
namespace {

using Points = std::vector<std::pair<int64_t, double>>;
constexpr double kWidth = 800, kHeight = 450;
constexpr double kLeft = 60, kRight = 20, kTop = 40, kBottom = 45;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

/// Where values lie in the picture.
struct Frame {
  double lastStep = 1, least = 0, most = 1;

  explicit Frame(const LossHistory &losses) {
    least = INFINITY, most = -INFINITY;
    for (const Points *points : {&losses.training, &losses.validation})
      for (auto [step, loss] : *points) {
        lastStep = std::max(lastStep, static_cast<double>(step));
        least = std::min(least, loss);
        most = std::max(most, loss);
      }
    if (!(least < most))
      least = std::isfinite(least) ? least - 0.5 : 0, most = least + 1;
  }
  double x(double step) const {
    return kLeft + step / lastStep * (kWidth - kLeft - kRight);
  }
  double y(double loss) const {
    return kTop + (most - loss) / (most - least) * (kHeight - kTop - kBottom);
  }
};

std::string text(double x, double y, const char *anchor,
                 const std::string &value) {
  return concat("<text x=\"", number(x), "\" y=\"", number(y),
                "\" text-anchor=\"", anchor, "\">", value, "</text>\n");
}

std::string line(const Frame &frame, const Points &points, const char *style) {
  if (points.empty())
    return "";
  std::string path;
  for (auto [step, loss] : points)
    path += concat(number(frame.x(static_cast<double>(step))), ",",
                   number(frame.y(loss)), " ");
  return concat("<polyline fill=\"none\" ", style, " points=\"", path,
                "\"/>\n");
}

/// The mean over about a fiftieth of the run up to each point.
Points smooth(const Points &points) {
  size_t window = std::max<size_t>(points.size() / 50, 1);
  Points result;
  double total = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    total += points[i].second;
    if (i >= window)
      total -= points[i - window].second;
    result.push_back({points[i].first,
                      total / static_cast<double>(std::min(i + 1, window))});
  }
  return result;
}

std::string axes(const Frame &frame) {
  constexpr int kTicks = 5;
  std::string out;
  for (int i = 0; i <= kTicks; ++i) {
    double part = static_cast<double>(i) / kTicks;
    double loss = frame.least + part * (frame.most - frame.least);
    double step = std::round(part * frame.lastStep);
    out += concat("<line x1=\"", number(kLeft), "\" x2=\"",
                  number(kWidth - kRight), "\" y1=\"", number(frame.y(loss)),
                  "\" y2=\"", number(frame.y(loss)), "\" stroke=\"#ddd\"/>\n");
    out += text(kLeft - 8, frame.y(loss) + 4, "end", number(loss));
    out += text(frame.x(step), kHeight - kBottom + 20, "middle",
                std::to_string(static_cast<int64_t>(step)));
  }
  return out + text(kWidth / 2, kHeight - 8, "middle", "step");
}

std::string escaped(const std::string &title) {
  std::string out;
  for (char c : title)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  return out;
}

} // namespace

std::string drawCurve(const LossHistory &losses, const std::string &title) {
  Frame frame(losses);
  std::string out = concat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ",
      number(kWidth), " ", number(kHeight),
      "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" "
      "height=\"100%\" fill=\"white\"/>\n");
  out += text(kLeft, 24, "start",
              escaped(title) + ": loss of training (blue) and validation "
                               "(orange), nats a token");
  out += axes(frame);
  out += line(frame, losses.training, "stroke=\"#9ecae1\" stroke-width=\"1\"");
  out += line(frame, smooth(losses.training),
              "stroke=\"#1f77b4\" stroke-width=\"2\"");
  out +=
      line(frame, losses.validation, "stroke=\"#ff7f0e\" stroke-width=\"2\"");
  return out + "</svg>\n";
}

} // namespace tenon::training
